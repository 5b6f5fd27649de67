"""Asks MiniStack, on a port of its own on this machine alone: what policies let happen, and what becomes of stacks.

Input: {"policies": [{"policy": {...}, "asked": [[action, resource], ...]}],
        "stacks": [{"name": ..., "template": ..., "parameters": {...}}]}
Output: {"policies": [[decision, ...], ...],
         "stacks": [{"status": ..., "kinds": {kind: count}, "deleted": ..., "left": [...]}]}
"""

import asyncio
import io
import json
import logging
import os
import socket
import sys
import threading
import time
import zipfile

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    PORT = probe.getsockname()[1]
os.environ.update(
    GATEWAY_PORT=str(PORT),
    IOT_MTLS_ENABLED="0",
    SFTP_ENABLED="0",
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
)

import boto3  # noqa: E402
from botocore.config import Config as ClientConfig  # noqa: E402
from hypercorn.asyncio import serve  # noqa: E402
from hypercorn.config import Config  # noqa: E402
from ministack.app import app  # noqa: E402

URL = f"http://127.0.0.1:{PORT}"
CODE = {"CodeBucket": "programs", "CodeKey": "program.zip"}


def serve_for_ever():
    config = Config()
    config.bind = [f"127.0.0.1:{PORT}"]
    config.loglevel = "ERROR"
    logging.disable(logging.CRITICAL)
    asyncio.run(serve(app, config, shutdown_trigger=asyncio.Event().wait))


def client(service):
    retries = ClientConfig(retries={"max_attempts": 2}, s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=URL, config=retries)


def wait_until_it_answers():
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", PORT)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("MiniStack does not answer")


def simulated(policy, asked):
    iam = client("iam")
    answers = []
    for action, resource in asked:
        found = iam.simulate_custom_policy(
            PolicyInputList=[json.dumps(policy)],
            ActionNames=[action],
            ResourceArns=[resource],
        )
        answers.append(found["EvaluationResults"][0]["EvalDecision"])
    return answers


def program():
    """A zip that Lambda takes; it is never of use."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        member = zipfile.ZipInfo("bootstrap")
        member.external_attr = 0o755 << 16
        archive.writestr(member, "#!/bin/sh\nexec sleep 600\n")
    return packed.getvalue()


def settled(name):
    formation = client("cloudformation")
    for _ in range(300):
        try:
            stack = formation.describe_stacks(StackName=name)["Stacks"][0]
        except formation.exceptions.ClientError:
            return "DELETE_COMPLETE"
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack["StackStatus"] + stack.get("StackStatusReason", "")
        time.sleep(0.1)
    return "it never ended"


def left():
    """What is there, but for buckets and tables."""
    names = [function["FunctionName"] for function in client("lambda").list_functions()["Functions"]]
    names += [mapping["UUID"] for mapping in client("lambda").list_event_source_mappings()["EventSourceMappings"]]
    names += client("sqs").list_queues().get("QueueUrls", [])
    names += [topic["TopicArn"] for topic in client("sns").list_topics()["Topics"]]
    names += [role["RoleName"] for role in client("iam").list_roles()["Roles"]]
    names += [alarm["AlarmName"] for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]]
    names += [group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]]
    names += [schedule["Name"] for schedule in client("scheduler").list_schedules()["Schedules"]]
    names += [rule["Name"] for rule in client("events").list_rules()["Rules"]]
    return sorted(names)


def made(stack):
    formation = client("cloudformation")
    # A template of more than 51,200 bytes is only taken from a bucket.
    client("s3").put_object(Bucket=CODE["CodeBucket"], Key=f"{stack['name']}.yaml", Body=stack["template"].encode())
    parameters = dict(CODE, **stack["parameters"])
    formation.create_stack(
        StackName=stack["name"],
        TemplateURL=f"{URL}/{CODE['CodeBucket']}/{stack['name']}.yaml",
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    status = settled(stack["name"])
    kinds = {}
    for page in formation.get_paginator("list_stack_resources").paginate(StackName=stack["name"]):
        for resource in page["StackResourceSummaries"]:
            kinds[resource["ResourceType"]] = kinds.get(resource["ResourceType"], 0) + 1
    there = left()
    formation.delete_stack(StackName=stack["name"])
    return {"status": status, "kinds": kinds, "there": len(there), "deleted": settled(stack["name"])}


def main(given):
    threading.Thread(target=serve_for_ever, daemon=True).start()
    wait_until_it_answers()
    before = left()
    policies = [simulated(entry["policy"], entry["asked"]) for entry in given["policies"]]
    stacks = []
    if given["stacks"]:
        client("s3").create_bucket(Bucket=CODE["CodeBucket"])
        client("s3").put_object(Bucket=CODE["CodeBucket"], Key=CODE["CodeKey"], Body=program())
    for stack in given["stacks"]:
        told = made(stack)
        told["left"] = [name for name in left() if name not in before]
        stacks.append(told)
    return {"policies": policies, "stacks": stacks}


print(json.dumps(main(json.load(sys.stdin))), flush=True)
# The server's threads are not waited for.
os._exit(0)
