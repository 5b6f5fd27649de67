"""Asks moto, which enforces policies for S3: each role of the input puts, gets and lists for itself.

Input: {"buckets": [...], "roles": [{"policy": {...}, "calls": [[action, bucket, key], ...]}]}
Output: for each role a list of true (it was let) and false (it was refused).
"""

import json
import sys

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count

REGION = "us-east-1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def call(s3, action, bucket, key):
    if action == "s3:GetObject":
        s3.get_object(Bucket=bucket, Key=key)
    elif action == "s3:PutObject":
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    elif action == "s3:DeleteObject":
        s3.delete_object(Bucket=bucket, Key=key)
    elif action == "s3:ListBucket":
        s3.list_objects_v2(Bucket=bucket)
    else:
        raise ValueError(action)


@set_initial_no_auth_action_count(0)
def enforced(key, calls):
    s3 = boto3.client(
        "s3",
        region_name=REGION,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key["SessionToken"],
    )
    answers = []
    for action, bucket, name in calls:
        try:
            call(s3, action, bucket, name)
            answers.append(True)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("AccessDenied", "403"):
                raise
            answers.append(False)
    return answers


@mock_aws
def main(given):
    s3 = boto3.client("s3", region_name=REGION)
    iam = boto3.client("iam", region_name=REGION)
    sts = boto3.client("sts", region_name=REGION)
    for bucket in given["buckets"]:
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="there", Body=b"x")
    answers = []
    for number, role in enumerate(given["roles"]):
        name = f"role-{number}"
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="grants", PolicyDocument=json.dumps(role["policy"]))
        key = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        answers.append(enforced(key, role["calls"]))
    return answers


print(json.dumps(main(json.load(sys.stdin))))
