"""`medprefkit push`, `pull` and `rebuild`: a dataset goes to the Hub, comes back, is made again from an index."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medprefkit.cli.arguments import RunPath, SetOption

if TYPE_CHECKING:
    from medprefkit.publish.hub import Visibility

RepoName = Annotated[str, typer.Argument(help="Dataset repository on the Hub: USER/NAME.")]
ConfigOption = Annotated[str, typer.Option("--config", help="Configuration of a repository that holds several.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: medprefkit push runs/quickstart somebody/chest-pairs")(push)
    app.command(epilog="Example: medprefkit pull somebody/chest-pairs pairs")(pull)
    app.command(epilog="Example: medprefkit rebuild index runs/rebuilt --set data_root=MY/COPY")(rebuild)


def push(
    run: RunPath,
    repo: RepoName,
    public: Annotated[
        bool | None,
        typer.Option("--public/--private", help="Of a new repository.  [default: private]", show_default=False),
    ] = None,
    index_only: Annotated[
        bool, typer.Option("--index-only", help="Share ids, spans, edits and seeds instead of rows.")
    ] = False,
    config: ConfigOption = "default",
    acknowledge_identity: Annotated[
        bool,
        typer.Option("--acknowledge-identity", help="Push in spite of the identity scan: I looked at its hits."),
    ] = False,
) -> None:
    """Share a run's dataset on the Hugging Face Hub: rows, card, recipe and checksums in one commit.

    Rows whose licence or data use agreement forbids it do not go out, and a scan for names, dates, record numbers and
    writing in the pictures comes first. The token comes from `hf auth login` or HF_TOKEN.
    """
    from medprefkit import publishing  # heavy: the stages

    visibility: Visibility | None = None if public is None else "public" if public else "private"
    done = publishing.push(
        run,
        repo,
        visibility=visibility,
        index_only=index_only,
        config=config,
        acknowledge_identity=acknowledge_identity,
    )
    typer.echo(f"{done.url}  commit {done.commit[:12]}")
    typer.echo(f"{done.n_sent} files sent ({done.n_bytes_sent / 1e6:.1f} MB), {done.n_unchanged} were there already")


def pull(
    repo: RepoName,
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Where the files go.")],
    config: ConfigOption = "default",
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit; else the newest.")] = None,
) -> None:
    """Download a shared dataset and verify every file by its checksum; a stopped pull goes on."""
    from medprefkit.publish.hub import pull_folder  # heavy: huggingface_hub

    manifest = pull_folder(repo, folder, config=config, revision=revision)
    n_bytes = sum(file.n_bytes for file in manifest.files)
    typer.echo(f"{folder}  {len(manifest.files)} files ({n_bytes / 1e6:.1f} MB), every checksum right")
    if manifest.form == "index":
        typer.echo("an index: `medprefkit rebuild` makes the rows of it from your own copy of the sources")


def rebuild(
    index: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of a pulled index.")],
    run: Annotated[Path, typer.Argument(file_okay=False, help="New run directory for the rows.")],
    set_: SetOption = None,
) -> None:
    """Make the rows of an index again from your own copy of the sources, and compare them with what was indexed."""
    from medprefkit import publishing  # heavy: the stages
    from medprefkit.errors import PublishError

    done = publishing.rebuild(index, run, set_ or [])
    typer.echo(f"{done.dataset}  {done.n_rows} rows")
    if done.differing:
        told = "; ".join(f"{path}: {problem}" for path, problem in sorted(done.differing.items()))
        raise PublishError(f"the rows are not byte for byte those that were indexed ({told}); compare package versions")
    typer.echo("byte for byte the rows that were indexed")
