"""A mail server for tests. It takes a folder, and perhaps the words `tls` and `auth`.

It writes its port into the folder, and each mail as a line of JSON into `mails.jsonl` there. What it does with a mail is
asked for by the recipient's name: `busy` is refused for now the first two times, `nobody` for good, with `cut` the connection
ends after the content, with `mute` the content is taken and never answered. It ends with its standard input.
"""
import asyncio, email, email.policy, hashlib, json, os, ssl, sys

from aiosmtpd.smtp import AuthResult, SMTP

folder, words = sys.argv[1], sys.argv[2:]
seen = {}


def decoded(envelope):
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    body = message.get_body(preferencelist=("plain",))
    return {
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "headers": {name: str(value) for name, value in message.items()},
        "text": body.get_content().replace("\r\n", "\n") if body else None,
        "defects": [str(defect) for part in message.walk() for defect in part.defects],
        "attachments": [
            {
                "name": part.get_filename(),
                "type": part.get_content_type(),
                "size": len(part.get_payload(decode=True)),
                "sha256": hashlib.sha256(part.get_payload(decode=True)).hexdigest(),
            }
            for part in message.iter_attachments()
        ],
    }


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        seen[address] = seen.get(address, 0) + 1
        if name == "busy" and seen[address] <= 2:
            return f"450 <{address}> is busy, come again"
        if name == "nobody":
            return f"550 no such user: <{address}>"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = decoded(envelope)
        mail["tls"], mail["auth"] = session.ssl is not None, bool(session.authenticated)
        with open(os.path.join(folder, "mails.jsonl"), "a") as file:
            file.write(json.dumps(mail) + "\n")
        name = envelope.rcpt_tos[0].split("@")[0]
        if name == "cut":
            server.transport.abort()
        if name == "mute":
            await asyncio.sleep(3600)
        return "250 taken"


def login(server, session, envelope, mechanism, data):
    # `handled` would mean that the answer has been given here.
    return AuthResult(success=(data.login, data.password) == (b"tide", b"worth-nothing"), handled=False)


options = {}
here = os.path.dirname(os.path.abspath(__file__))
if "tls" in words:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(here, "server.pem"), os.path.join(here, "key.pem"))
    options.update(tls_context=context, require_starttls=True)
if "auth" in words:
    options.update(auth_required=True, authenticator=login, auth_require_tls="tls" in words)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(), enable_SMTPUTF8=False, **options), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with open(os.path.join(folder, "port.new"), "w") as file:
        file.write(str(port))
    os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
