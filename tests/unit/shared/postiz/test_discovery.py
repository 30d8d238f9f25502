"""Which addresses lead to which Postiz."""

import pytest

from shared.postiz.discovery import candidate_urls, server_of

FORMS = [
    "https://postiz.example.com",
    "https://postiz.example.com/",
    "https://postiz.example.com/api/public/v1",
    "https://postiz.example.com/public/v1/",
    "https://POSTIZ.example.com:443/api/public/v1/",
    "  https://postiz.example.com/public/v1 ",
    "postiz.example.com",
    "https://postiz.example.com/api",
    "https://postiz.example.com./api/",
    "https://postiz.example.com/api/api/public/v1",
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_address_is_one_server(form: str) -> None:
    assert server_of(form) == "https://postiz.example.com"


def test_ports_and_paths_in_front_are_kept() -> None:
    assert server_of("http://10.0.0.5:3000/public/v1") == "http://10.0.0.5:3000"
    assert server_of("https://a.example/tools/postiz") == "https://a.example/tools/postiz"
    assert server_of("http://[::1]:80/api/public/v1") == "http://[::1]"


@pytest.mark.parametrize("form", FORMS)
def test_both_forms_are_tried_whatever_was_given(form: str) -> None:
    usual = {
        "https://postiz.example.com/api/public/v1",
        "https://postiz.example.com/public/v1",
    }
    assert usual <= set(candidate_urls(form))


@pytest.mark.parametrize("form", [*FORMS, "https://a.example/tools/api", "10.0.0.5:3000/x"])
def test_wherever_it_is_found_the_server_is_the_same(form: str) -> None:
    assert {server_of(candidate) for candidate in candidate_urls(form)} == {server_of(form)}


def test_what_is_no_address_is_a_server_of_its_own() -> None:
    assert server_of("https://not a url") == "https://not a url"


def test_the_form_that_the_user_gave_is_tried_first() -> None:
    assert candidate_urls("https://a.example/api/public/v1")[0] == "https://a.example/api/public/v1"
    assert candidate_urls("https://a.example/public/v1")[0] == "https://a.example/public/v1"
    assert candidate_urls("https://a.example/api")[0] == "https://a.example/api/public/v1"
