"""The HTTP face, fuzzed by schemathesis on its own OpenAPI document: only the answers that it describes, and never 500."""

import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance
from serve_client import form, image

from fuzzing import fuzz
from godeeper.text import printable
from mutations import mutated

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
SOUND = [image(), image(9, 7, seed=1), b"P6 2 1 255\n" + bytes(6)]
FORM = "multipart/form-data; boundary="
CHARSETS = ("utf-16", "unicode_escape", "undefined", "idna", "punycode", "x")
TYPES = [
    *(
        "image/jpeg",
        "IMAGE/PNG",
        "text/plain",
        "",
        "multipart/form-data",
        FORM,
        FORM + "X" * 300,
        "application/x-www-form-urlencoded",
    ),
    *(f"{FORM}XX; charset={charset}" for charset in CHARSETS),
]


@st.composite
def changed(draw, operation):
    """A case of the operation, of what the document allows or of what it does not, its body and type at times others."""
    case = draw(draw(st.sampled_from([operation.as_strategy(mode) for mode in GenerationMode])))
    if draw(st.booleans()):
        case.body = draw(mutated([*SOUND, *(form(each)[0] for each in SOUND)]))
        case.media_type = "application/octet-stream"
        if draw(st.booleans()):
            case.headers["content-type"] = draw(st.sampled_from(TYPES))
    return case


@pytest.mark.slow
def test_only_described_answers(server):
    address = f"http://127.0.0.1:{server.port}"
    schemathesis.openapi.media_type("image/png", mutated(SOUND), aliases=["application/octet-stream", "image/*"])
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    posts = [changed(schema[path]["POST"]) for path in ("/predict", "/embed")]
    gets = [schema[path]["GET"].as_strategy() for path in ("/health", "/metrics")]
    before = server.peak()

    with requests.Session() as session:

        def try_one(case):
            answer = case.call(base_url=address, session=session, timeout=30)
            assert answer.status_code != 500, answer.text
            case.validate_response(answer, checks=CHECKS)
            if answer.status_code == 200:
                return "taken"
            reason = answer.json()["error"]
            assert reason
            assert reason == printable(reason)
            return "refused"

        outcomes = fuzz("http", st.one_of(*posts * 4, *gets), try_one)
    assert sum(outcomes.values()) < 200 or min(outcomes.values()) > sum(outcomes.values()) / 200
    assert server.ask("/health")[0] == 200
    assert server.peak() < before + 600_000_000


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_form_in_a_strange_charset_is_read_or_refused(server, charset):
    """Of "undefined" it was 500: that codec raises an error of another kind than others do."""
    body, _ = form(image())
    status, answer = server.predict(body, headers={"content-type": f"{FORM}XX; charset={charset}"})
    assert status == 200 or (status == 400 and answer["error"] == printable(answer["error"]))
    assert status == 400 or charset != "undefined"
