"""The sandbox's pages: an overview of what Postiz would be doing, and a published post."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from string import Template
from time import gmtime, strftime
from typing import Any

from .database import dump
from .dates import iso
from .faults import Fault
from .networks import network
from .posts import DRAFT
from .state import Sandbox

_SHOWN = 40
_BUTTONS = (
    ("Lose replies to POST /posts", {"kind": "reply_lost_after", "route": "POST /posts"}),
    ("Lose replies to releases", {"kind": "reply_lost_after", "route": "PUT /posts/:id/status"}),
    ("Answer 500", {"kind": "error_500_before"}),
    ("Answer 502 HTML", {"kind": "html_502"}),
    ("Be slow (5 s)", {"kind": "slow", "args": {"seconds": 5}}),
    ("Hang, then do (30 s)", {"kind": "hang_then_do", "args": {"seconds": 30}}),
    ("Database away (empty 401)", {"kind": "empty_401"}),
    ("Throttle POST /posts", {"kind": "spontaneous_429", "route": "POST /posts"}),
    ("Fail every publication", {"kind": "publish_error"}),
    ("Fail the second part of threads", {"kind": "part_error", "args": {"part": 1}}),
    ("Never publish", {"kind": "never_publish"}),
    ("Die inside a release", {"kind": "killed_in_release", "times": 1}),
    ("Have a network process for 5 min", {"kind": "pending", "args": {"checks": 15}}),
    ("Send without being sure", {"kind": "unconfirmed", "args": {"seconds": 10}}),
    ("Refuse connections (10 s)", {"kind": "refuse", "args": {"seconds": 10}}),
)

_STYLE = """
:root { color-scheme: light dark; --line: #8883; --accent: #5b5bd6; --bad: #c4314b;
  --soft: color-mix(in srgb, currentColor 65%, transparent) }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1100px; padding: 24px }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
p.note { color: var(--soft); margin: .2rem 0 0 }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px;
  margin-top: 1.25rem }
.card { border: 1px solid var(--line); border-radius: 10px; padding: 10px 14px }
.card b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: 7px 12px; border-top: 1px solid var(--line);
  vertical-align: top; overflow-wrap: break-word }
th { border: 0; color: var(--soft); font-weight: 500; white-space: nowrap }
code { font-size: .9em } .bad { color: var(--bad) }
meter { width: 120px }
button { font: inherit; border: 1px solid var(--line); border-radius: 8px; padding: 5px 11px;
  margin: 0 6px 6px 0; background: none; cursor: pointer; color: inherit }
button:hover, button:focus-visible { border-color: var(--accent) }
article { border: 1px solid var(--line); border-radius: 12px; padding: 20px; margin-top: 20px }
article p { white-space: pre-wrap; font-size: 1.1rem }
"""

_SCRIPT = """
async function refresh() {
  const page = await (await fetch(location.href)).text();
  const fresh = new DOMParser().parseFromString(page, 'text/html').querySelector('main');
  document.querySelector('main').innerHTML = fresh.innerHTML;
}
setInterval(() => refresh().catch(() => {}), 2000);
document.addEventListener('click', async (event) => {
  const { fault, remove } = event.target.dataset || {};
  if (fault) await fetch('/_sandbox/faults', { method: 'POST', body: fault });
  if (remove) await fetch('/_sandbox/faults/' + remove, { method: 'DELETE' });
  if (fault || remove) refresh();
});
"""

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>$title</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>$style</style></head>
<body><main>$main</main><script>$script</script></body></html>
""")


def overview(sandbox: Sandbox, stats: Mapping[str, Any]) -> str:
    sends = sandbox.ledger.latest(_SHOWN, kind="send")
    requests = sandbox.ledger.latest(_SHOWN, kind="request")
    main = [
        "<h1>Sandbox Postiz</h1>",
        f"<p class='note'>Public API at <code>{escape(sandbox.url + sandbox.prefix)}</code>."
        " Nothing here reaches a real network.</p>",
        _cards(stats),
        _section("Organizations", _organizations(stats["orgs"])),
        _section("Drafted and scheduled", _waiting(sandbox)),
        _section("Published", _sends(sandbox, sends)),
        _section("Received", _requests(requests)),
        _section("Faults", _faults(sandbox.faults.all())),
    ]
    return _page("Sandbox Postiz", "".join(main), _SCRIPT)


def published(sandbox: Sandbox, send: Mapping[str, Any]) -> str:
    integration = sandbox.orgs.integration(send["integration"])
    name = integration.name if integration else send["integration"]
    where = network(integration.identifier).name if integration else ""
    media = "".join(f"<li><code>{escape(str(each['path']))}</code></li>" for each in send["media"])
    below = [part for part in sandbox.ledger.entries(kind="part") if part["post"] == send["post"]]
    parts = "".join(_part(part) for part in below)
    main = (
        f"<h1>{escape(name)}</h1><p class='note'>{escape(where)} · sent {_clock(send['time'])} UTC"
        f" · due {escape(send['publish_date'])}</p>"
        f"<article><p>{escape(send['content'])}</p><ul>{media}</ul></article>{parts}"
        "<p><a href='/'>Overview</a></p>"
    )
    return _page(f"{name}: published", main)


def _part(part: Mapping[str, Any]) -> str:
    media = "".join(f"<li><code>{escape(str(each['path']))}</code></li>" for each in part["media"])
    sent = f"<p class='note'>sent {_clock(part['time'])} UTC</p>"
    return f"<article>{sent}<p>{escape(part['content'])}</p><ul>{media}</ul></article>"


def nothing() -> str:
    return _page("Not published", "<h1>Nothing was published here</h1><p><a href='/'>Overview</a>")


def _page(title: str, main: str, script: str = "") -> str:
    return _PAGE.substitute(title=escape(title), style=_STYLE, main=main, script=script)


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _cards(stats: Mapping[str, Any]) -> str:
    posts = stats["posts"]
    numbers = {
        "requests": stats["requests"],
        "drafts": posts.get("DRAFT", 0),
        "scheduled": posts.get("QUEUE", 0),
        "published": posts.get("PUBLISHED", 0),
        "failed": posts.get("ERROR", 0),
        "deleted": posts.get("deleted", 0),
        "sends": stats["sends"],
    }
    cards = (f"<div class='card'><b>{number}</b>{name}</div>" for name, number in numbers.items())
    return f"<div class='cards'>{''.join(cards)}</div>"


def _organizations(orgs: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            escape(org["name"]),
            escape(", ".join(org["integrations"])),
            f"<meter min='0' max='{org['limit']}' value='{min(org['used'], org['limit'])}'></meter>"
            f" {org['used']} of {org['limit']}",
            f"{org['resets_in']:.0f} s",
            f"<span class='bad'>{org['blocked_for']:.0f} s</span>" if org["blocked_for"] else "no",
            f"{org['trips']}",
        )
        for org in orgs
    ]
    heads = ("Name", "Integrations", "Calls this window", "Window ends in", "Blocked", "Trips")
    return _table(heads, rows)


def _waiting(sandbox: Sandbox) -> str:
    rows = [
        (
            iso(post.date_ms),
            "draft" if post.state == DRAFT else "scheduled",
            escape(post.integration),
            escape(post.content[:200]),
            str(1 + len(sandbox.posts.parts(post.id))),
        )
        for post in sandbox.posts.waiting(_SHOWN)
    ]
    return _table(("Due", "State", "Integration", "Content", "Parts"), rows)


def _sends(sandbox: Sandbox, sends: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            _clock(send["time"]),
            escape(send["integration"]),
            escape(send["content"][:200]),
            f"<a href='{escape(sandbox.release_url(send['post']))}'>open</a>",
        )
        for send in sends
    ]
    return _table(("Sent", "Integration", "Content", "Post"), rows)


def _requests(requests: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            _clock(request["time"]),
            escape(request.get("key_label") or "none"),
            f"<code>{escape(request['method'])} {escape(request['path'])}</code>",
            escape(str(request.get("status", "…"))),
            f"<span class='bad'>{escape(request.get('fault', ''))}</span>",
        )
        for request in requests
    ]
    return _table(("Received", "Key", "Call", "Answered", "Fault"), rows)


def _faults(faults: Sequence[Fault]) -> str:
    rows = [
        (
            escape(fault.kind),
            escape(fault.route),
            escape(fault.org or "all"),
            f"{fault.probability:g}",
            "until removed" if fault.times is None else str(fault.times),
            f"<button data-remove='{fault.id}'>Switch off</button>",
        )
        for fault in faults
    ]
    active = _table(("Kind", "Route", "Organization", "Probability", "Times", ""), rows)
    return f"<p>{''.join(_button(*each) for each in _BUTTONS)}</p>{active}"


def _button(label: str, spec: Mapping[str, Any]) -> str:
    return f"<button data-fault='{escape(dump(spec))}'>{escape(label)}</button>"


def _table(heads: Iterable[str], rows: Sequence[Iterable[str]]) -> str:
    """Cells are HTML already: whoever builds them escapes."""
    if not rows:
        return "<p class='note'>Nothing yet.</p>"
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<div class='scroll'><table><tr>{head}</tr>{body}</table></div>"


def _clock(moment: float) -> str:
    return strftime("%H:%M:%S", gmtime(moment))
