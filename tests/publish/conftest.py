"""A Hub on the loopback, and a client of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Client, HubServer


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with HubServer(tmp_path / "hub") as server:
        yield server


@pytest.fixture
def client(hub: HubServer, tmp_path: Path) -> Client:
    return Client(hub, tmp_path / "home")
