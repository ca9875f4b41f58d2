"""What may leave this machine, to where, and under which key: decided by what is written, no name server is asked."""

import ipaddress
import os
import re
from urllib.parse import urlsplit

from medprefkit.errors import RecipeError


def host_of(place: str) -> str:
    """Return the host of an endpoint's address.

    Raises:
        RecipeError: If it is no http address, or carries a password.
    """
    parts = urlsplit(place)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise RecipeError(f"base_url {place!r} is no address; write for instance http://localhost:8000/v1")
    if parts.username is not None or parts.password is not None:
        raise RecipeError(f"the base_url of {parts.hostname} holds a password; keys come from the environment only")
    return parts.hostname


def is_local(place: str) -> bool:
    """Tell whether an address is this machine: the empty one (no endpoint), localhost, or a loopback address.

    Any other name counts as remote, whatever it may resolve to.
    """
    if not place:
        return True
    host = host_of(place)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def key_variable(place: str) -> str:
    """Return the environment variable that holds the key for an endpoint; each host has its own.

    A recipe may come from a stranger: it can name a host, but never make a key of one host go to another.
    """
    return f"MEDPREFKIT_KEY_{re.sub(r'[^A-Za-z0-9]', '_', host_of(place)).upper()}"


def api_key(place: str) -> str:
    """Return the key for an endpoint; a loopback endpoint may do without.

    Raises:
        RecipeError: If a remote endpoint has none; names the variable.
    """
    variable = key_variable(place)
    key = os.environ.get(variable, "")
    if not key and not is_local(place):
        raise RecipeError(f"{host_of(place)} needs a key: set the environment variable {variable}")
    return key or "none"
