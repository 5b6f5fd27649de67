"""MiniStack on a free port of this machine alone, with IAM enforced, and whatever calls of boto3 a test wants made there.

Prints its port, then answers each line of its input, {"account": ..., "service": ..., "call": ..., "with": {...}}, with a line.
It ends with its input.
"""

import asyncio
import base64
import json
import logging
import os
import socket
import sys
import threading
import time

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    PORT = probe.getsockname()[1]
URL = f"http://127.0.0.1:{PORT}"
os.environ.update(
    GATEWAY_PORT=str(PORT),
    IOT_MTLS_ENABLED="0",
    SFTP_ENABLED="0",
    AUTH="true",
    # Functions are told by it where AWS is.
    AWS_ENDPOINT_URL=URL,
    AWS_ACCESS_KEY_ID="root",
    AWS_SECRET_ACCESS_KEY="worth-nothing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_CONFIG_FILE="/dev/null",
    AWS_SHARED_CREDENTIALS_FILE="/dev/null",
    AWS_EC2_METADATA_DISABLED="true",
)

import boto3  # noqa: E402
from botocore.config import Config as ClientConfig  # noqa: E402
from hypercorn.asyncio import serve  # noqa: E402
from hypercorn.config import Config  # noqa: E402
from ministack.core import iam_actions  # noqa: E402

# IAM knows no action of its own for a batch of messages: it asks for `sqs:SendMessage`.
ACTION_OF = iam_actions._action_from_target
iam_actions._action_from_target = lambda headers: (
    (ACTION_OF(headers) or "").removesuffix("Batch") or None
    if headers.get("x-amz-target", "").startswith("AmazonSQS.")
    else ACTION_OF(headers)
)

# MiniStack tells policies neither which address a mail is from nor which identity it uses, so none that asks for them holds.
ASKED_OF = iam_actions.extract_iam_action
iam_actions.extract_iam_action = lambda service, *rest: (
    None if service == "ses" else ASKED_OF(service, *rest)
)

from ministack.app import app  # noqa: E402

CLIENTS = {}


def serve_for_ever():
    config = Config()
    config.bind = [f"127.0.0.1:{PORT}"]
    config.loglevel = "ERROR"
    if not os.environ.get("MINISTACK_LOG"):
        logging.disable(logging.CRITICAL)
    asyncio.run(serve(app, config, shutdown_trigger=asyncio.Event().wait))


def client(account, service):
    if (account, service) not in CLIENTS:
        CLIENTS[account, service] = boto3.client(
            service,
            endpoint_url=URL,
            aws_access_key_id=account,
            aws_secret_access_key="worth-nothing",
            config=ClientConfig(retries={"max_attempts": 2}, s3={"addressing_style": "path"}),
        )
    return CLIENTS[account, service]


def given(value):
    """A file is named by {"file": PATH}."""
    if isinstance(value, dict):
        if list(value) == ["file"]:
            with open(value["file"], "rb") as content:
                return content.read()
        return {name: given(each) for name, each in value.items()}
    if isinstance(value, list):
        return [given(each) for each in value]
    return value


def told(value):
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, (bytes, bytearray)):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {str(name): told(each) for name, each in value.items() if name != "ResponseMetadata"}
    if isinstance(value, (list, tuple)):
        return [told(each) for each in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def answer(wish):
    service = client(wish["account"], wish["service"])
    arguments = given(wish["with"])
    if service.can_paginate(wish["call"]):
        pages = service.get_paginator(wish["call"]).paginate(**arguments)
        return told(pages.build_full_result())
    return told(getattr(service, wish["call"])(**arguments))


threading.Thread(target=serve_for_ever, daemon=True).start()
while True:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            break
    time.sleep(0.05)
print(PORT, flush=True)
for line in sys.stdin:
    try:
        print(json.dumps({"answer": answer(json.loads(line))}), flush=True)
    except Exception as error:  # noqa: BLE001
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
os._exit(0)
