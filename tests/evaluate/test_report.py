from html.parser import HTMLParser
from pathlib import Path

from made_readings import two_readings

from medprefkit.evaluate.comparison import compare
from medprefkit.evaluate.faults import find_faults
from medprefkit.evaluate.intervals import Rate
from medprefkit.evaluate.report import Section, as_html, as_markdown, write_report
from medprefkit.evaluate.tables import Table, as_text, cell, tables_of

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Collects tags, checks that they nest, and joins the text of every mark under its class."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.marks: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if tag == "mark":
            self.marks.append((dict(attrs)["class"] or "", ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "mark" in self.open:
            self.marks[-1] = (self.marks[-1][0], self.marks[-1][1] + data)


def section() -> Section:
    readings = two_readings()
    return Section("made<up>.jsonl", tables_of(compare(readings, n_resamples=10)), find_faults(readings))


def test_the_page_is_whole_loads_nothing_and_escapes_every_text() -> None:
    html = as_html([section()])
    page = Page()
    page.feed(html)
    assert page.open == []
    assert not page.tags & {"script", "img", "link", "iframe", "b", "i", "up"}
    assert not page.attributes & {"src", "href", "onload", "onclick"}
    assert "default-src 'none'" in html
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in html


def test_the_page_marks_what_was_found_missed_and_raised() -> None:
    page = Page()
    page.feed(as_html([section()]))
    assert ("found", "A <b>mass</b>") in page.marks
    assert ("missed", "Left") in page.marks
    assert ("alarm", "|No|") in page.marks


def test_markdown_marks_and_escapes() -> None:
    text = as_markdown([section()])
    assert "**[found: A \\<b\\>mass\\</b\\>]**" in text
    assert " is seen. **[missed: Left]** side." in text  # white space beside a mark stays
    assert "1. miss, wrong\\_laterality: Left → Right" in text
    assert "contradicted by hand\\_rule, evidence: No mass \\<script\\>" in text
    assert "<script" not in text.replace("\\<", "")
    assert "- not edited: edit\\_incomplete: still wrong" in text


def test_a_line_feed_in_a_text_starts_no_markdown_block() -> None:
    table = Table("a\n# b", ("x", "y|z"), (("1\n2", "3"),))
    text = as_markdown([Section("n", (table,), ())])
    assert "### a \\# b" in text
    assert "| x | y\\|z |\n| --- | --- |\n| 1 2 | 3 |" in text


def test_the_report_is_two_files(tmp_path: Path) -> None:
    write_report(tmp_path / "new" / "folder", [section()])
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["report.html", "report.md"]


def test_a_cell_is_a_share_with_its_interval() -> None:
    assert cell(Rate(0.5, 0.25, 1.0, 4)) == ".50 (.25-1.00)"
    assert cell(Rate(0.5, None, None, 4)) == ".50"
    assert cell(Rate(None, None, None, 0)) == "-"


def test_the_terminal_s_table_is_aligned() -> None:
    assert as_text([Table("T", ("a", "bb"), (("ccc", "d"),))]) == "T\n  a    bb\n  ccc  d"
