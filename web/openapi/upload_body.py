"""The bodies of the upload endpoints, for the API's description: files, or JSON."""

from typing import Any

from web.schemas.uploads import UploadByUrl

_FILE = {"type": "string", "format": "binary"}
_TEXT = {"type": "string", "maxLength": 255}
_URL = UploadByUrl.model_json_schema()


def _request_body(form: dict[str, Any], json: dict[str, Any]) -> dict[str, Any]:
    required = {"type": "object", "required": ["file"]}
    content = {
        "multipart/form-data": {"schema": {**required, "properties": form}},
        "application/json": {"schema": json},
    }
    return {"requestBody": {"required": True, "content": content}}


ONE_FILE_OR_URL = _request_body({"file": _FILE, "external_id": _TEXT}, _URL)
FILES_OR_URLS = _request_body(
    {"file": {"type": "array", "items": _FILE}},
    {
        "type": "object",
        "required": ["items"],
        "additionalProperties": False,
        "properties": {"items": {"type": "array", "minItems": 1, "maxItems": 1000, "items": _URL}},
    },
)
