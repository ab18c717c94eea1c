#!/usr/bin/env bash
# The official OpenAI client, Triton's client and a browser against the service, with a model that captions.
#
#   Benchmarks/clients/run.sh ARTIFACTS PICTURE [SCREENSHOT.png]
#
# Makes .clients, a Python environment for the clients alone; starts `concord-server` on the loopback interface, once
# with keys for the two clients and once without for the page; ends it whatever comes.
set -euo pipefail
artifacts=$(realpath "${1:?usage: run.sh ARTIFACTS PICTURE [SCREENSHOT.png]}")
picture=$(realpath "${2:?usage: run.sh ARTIFACTS PICTURE [SCREENSHOT.png]}")
screenshot=${3:+$(realpath "$3")}
cd "$(dirname "$0")/../.."

server=${CONCORD_SERVER:-.build/release/concord-server}
clients=Benchmarks/clients
[ -x "$server" ] || { echo "run.sh: $server is missing; swift build -c release --product concord-server" >&2; exit 1; }

if ! cmp -s "$clients/requirements.txt" .clients/requirements.txt; then
    echo "==> Installing the clients into .clients"
    rm -rf .clients
    python3 -m venv .clients
    .clients/bin/pip install -q -r "$clients/requirements.txt"
    cp "$clients/requirements.txt" .clients/requirements.txt
fi

temporary=$(mktemp -d)
process=
stop() {
    [ -z "$process" ] || { kill "$process" 2>/dev/null && wait "$process"; } || true
    process=
}
trap 'stop; rm -rf "$temporary"' EXIT

start() { # OPTION…; sets url
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    url=http://127.0.0.1:$port
    "$server" --model "captioner=$artifacts" --port "$port" "$@" >"$temporary/log" 2>&1 &
    process=$!
    for _ in $(seq 600); do
        ! curl -sf -o "$temporary/ready" "$url/health/ready" || return 0
        kill -0 "$process" 2>/dev/null || break
        sleep 0.1
    done
    echo "run.sh: the service did not become ready:" >&2
    tail -n 30 "$temporary/log" >&2
    exit 1
}

key=sk-benchmark-$(python3 -c 'import secrets; print(secrets.token_hex(16))')
printf '[{"id": "clients", "hash": "sha256:%s", "scopes": ["embed", "caption", "admin"]}]\n' \
    "$(printf %s "$key" | sha256sum | cut -d ' ' -f 1)" >"$temporary/keys.json"

echo "==> The OpenAI client"
start --keys "$temporary/keys.json" --alias openai/captioner=captioner
export SERVICE_URL=$url SERVICE_KEY=$key SERVICE_MODEL=captioner SERVICE_ALIAS=openai/captioner PICTURE=$picture
.clients/bin/python "$clients/test_openai.py" || { tail -n 30 "$temporary/log" >&2; exit 1; }
echo "==> Triton's client"
.clients/bin/python "$clients/test_triton.py" || { tail -n 30 "$temporary/log" >&2; exit 1; }
stop

echo "==> The page in a browser"
start
.clients/bin/python "$clients/page.py" "$url" "$picture" ${screenshot:+--screenshot "$screenshot"}
stop
