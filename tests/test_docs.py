"""The two languages move together, what the pages name exists, and their links and commands lead somewhere."""

import ast
import importlib
import importlib.util
import re
import shlex
import textwrap
import tomllib
import unicodedata

import pytest
from typer.main import get_command

import godeeper
from godeeper import workflows
from godeeper.cli.main import app
from godeeper.papers.facts_googlenet import GOOGLENET_TABLE_1
from pages import DOCS, NAMES, PAGES, PAIRS, ROOT, blocks, prose, read

spec = importlib.util.spec_from_file_location("lines", DOCS / "lines.py")
lines = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lines)


COMMAND = get_command(app)


def commands(page):
    """The godeeper commands among a page's indented lines, as a shell's words."""
    found = []
    for line in re.findall(r"^    (\S.*)$", prose(page), re.M):
        for part in re.split(r";|\bdo\b|[|>]", line):
            start = re.match(r".*?(?:^|[\s/])godeeper(?= [a-z])", part.strip())
            if start:
                found.append(shlex.split(part.strip()[start.end() :], comments=True))
    return found


def without_comments(block):
    if block.language == "python" and block.excerpt_of is None:
        return ast.dump(ast.parse(block.code))
    return re.sub(r"\s+# .*$", "", block.code, flags=re.M) if block.language == "sh" else block.code


def test_every_page_is_there_in_both_languages():
    assert sorted(page.relative_to(DOCS / "zh").as_posix() for page in (DOCS / "zh").rglob("*.md")) == NAMES
    assert len(NAMES) > 30


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_have_the_same_shape_commands_and_numbers(english, chinese):
    ours, theirs = prose(english), prose(chinese)
    assert [len(h) for h in re.findall(r"^#+(?= )", ours, re.M)] == [len(h) for h in re.findall(r"^#+(?= )", theirs, re.M)]
    assert commands(english) == commands(chinese)
    assert re.findall(r"^    .*?make \S.*$", ours, re.M) == re.findall(r"^    .*?make \S.*$", theirs, re.M)
    assert sorted(re.findall(r"\d[\d,.]*\d %", ours)) == sorted(re.findall(r"\d[\d,.]*\d %", theirs))
    assert [(b.language, b.excerpt_of) for b in blocks(english)] == [(b.language, b.excerpt_of) for b in blocks(chinese)]
    assert list(map(without_comments, blocks(english))) == list(map(without_comments, blocks(chinese)))


def width(text):
    """In columns: a Chinese character has two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


@pytest.mark.parametrize("page", [page for page in PAGES if "/guide/" in page])
def test_prose_is_at_least_half_of_a_page_of_the_guide(page):
    assert width(prose(page)) >= width(read(page)) / 2


def test_no_chinese_sentence_is_broken_over_lines():
    """A line's end would show as a gap between two characters on GitHub."""
    pages = [page for page in PAGES if page.startswith("docs/zh/") or page == "README.zh-CN.md"]
    breaks = re.compile(r".{9}[\u4e00-\u9fff\u3001-\u303f\uff00-\uffef]\n {0,3}(?!\d+\. )[\w`*\[“(（]")
    broken = {page: breaks.findall(prose(page)) for page in pages}
    assert len(pages) > 25
    assert not any(broken.values()), broken


@pytest.mark.parametrize(("english", "chinese"), PAIRS[1:])
def test_each_page_leads_to_its_other_language(english, chinese):
    for page, other, name in ((english, chinese, "中文"), (chinese, english, "English")):
        link = re.match(rf"# .+\n\n\[{name}\]\((\S+)\)\n", read(page))
        assert link, page
        assert ((ROOT / page).parent / link[1]).resolve() == ROOT / other


def test_the_reference_has_every_public_name_and_each_exists():
    listed = re.findall(r"^::: (\S+)$", read(DOCS / "en/reference.md"), re.M)
    assert listed == re.findall(r"^::: (\S+)$", read(DOCS / "zh/reference.md"), re.M)
    for path in listed:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name), path
    names = {path.rpartition(".")[2] for path in listed}
    assert {*godeeper.__all__, *workflows.__all__} <= names


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose(page))
    assert links or page.endswith("reference.md")
    for link in links:
        assert link.startswith("https://") or ((ROOT / page).parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_links_to_lines_of_code_name_what_stands_there(page):
    assert [(link[0], place) for link, place in lines.moved(ROOT / page)] == []  # python docs/lines.py mends them


@pytest.mark.parametrize("page", PAGES)
def test_excerpts_stand_in_the_source(page):
    for block in blocks(page):
        if block.excerpt_of:
            source = read(block.excerpt_of).splitlines()
            excerpt, count = block.code.rstrip("\n"), len(block.code.rstrip("\n").splitlines())
            places = ("\n".join(source[start : start + count]) for start in range(len(source)))
            assert any(textwrap.dedent(place) == excerpt for place in places), block.code


@pytest.mark.parametrize("page", [english for english, _ in PAIRS])
def test_every_command_of_a_page_is_one(page):
    for arguments in commands(page):
        command, words = COMMAND, arguments
        while hasattr(command, "commands"):
            assert words[0] in command.commands, arguments
            command, words = command.commands[words[0]], words[1:]
        if "..." not in words and "$RESUME" not in words and not any(word.startswith("$") for word in words):
            command.make_context(command.name, list(words))


def test_both_glossaries_pair_the_same_words():
    pairs = re.compile(r"^\| (.+?) \| (.+?) \|", re.M)
    english, chinese = (pairs.findall(read(f"docs/{language}/guide/glossary.md")) for language in ("en", "zh"))
    assert english == [(second, first) for first, second in chinese]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_table_1_stands_on_its_page_as_printed_with_the_audits_marks(language):
    page = read(f"docs/{language}/guide/googlenet-network.md")
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in re.findall(r"^\|.*\|$", page, re.M)]
    stages = list(dict.fromkeys(fact.stage for fact in GOOGLENET_TABLE_1))
    columns = ["patch/stride", "output", "depth", "1x1", "3x3 reduce", "3x3", "5x5 reduce", "5x5", "pool proj", "params", "ops"]
    cells = {
        f"{stage} {column}": cell
        for stage, (_, *row) in zip(stages, rows[2:21], strict=True)
        for column, cell in zip(columns, row, strict=True)
        if cell
    }
    assert {where: cell.split()[0] for where, cell in cells.items()} == {
        f"{fact.stage} {fact.quantity}": fact.printed for fact in GOOGLENET_TABLE_1
    }
    wrong = {f.where: f for f in godeeper.audit("googlenet") if f.where.startswith("Table 1,") and f.verdict != "reproduced"}
    assert {f"Table 1, {where}" for where, cell in cells.items() if cell.endswith("†")} == set(wrong)
    corrected = {
        f"Table 1, {stage} {column}": cell
        for stage, *pair in rows[23:31]
        for column, cell in zip(("params", "ops"), pair, strict=True)
        if cell
    }
    assert corrected == {where: f"{finding.printed}, {finding.computed}" for where, finding in wrong.items()}


def test_the_makefile_has_the_targets_that_the_readme_names():
    targets = set(re.findall(r"^([\w-]+):", read("Makefile"), re.M))
    assert set(re.findall(r"^    make ([\w-]+)", read("README.md"), re.M)) <= targets
    assert {"demo", "test", "test-all", "lint", "docs", "docs-serve"} <= targets


def test_the_course_questions_are_whole_and_no_page_recites_their_answers():
    questions = tomllib.loads(read("tests/course_questions.toml"))["question"]
    pages = re.sub(r"\s+", " ", "\n".join(map(read, PAGES)))
    assert len(questions) == len({question["name"] for question in questions}) == 12
    assert sum(question["source"] != "ours" for question in questions) >= 6
    for question in questions:
        assert question["sections"]
        assert set(question["question"]) == set(question["points"]) == {"en", "zh"}
        assert len(question["points"]["en"]) == len(question["points"]["zh"]) >= 5
        assert not [point for points in question["points"].values() for point in points if point in pages]
