"""Ansible's community.hashi_vault: a playbook with its modules and lookups."""

import glob
import os
import subprocess
import sys
import zipfile

from check import DevServer, server_binary

CORE = "ansible-core==2.18.*"
# The collections come in one large wheel; only this one is unpacked.
WHEEL = "ansible==11.*"
COLLECTION = "ansible_collections/community/hashi_vault/"
PLAYBOOK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "playbook.yml")


def run(report):
    peers = os.path.dirname(os.path.dirname(os.path.dirname(sys.executable)))
    try:
        install(peers)
    except (subprocess.CalledProcessError, OSError) as error:
        report.skip("ansible", f"PyPI does not give it: {error}")
        return
    with DevServer(server_binary()).start() as server:
        env = {
            "HOME": server.folder,
            "PATH": os.environ["PATH"],
            "ANSIBLE_COLLECTIONS_PATH": os.path.join(peers, "ansible"),
            "ANSIBLE_HOME": server.folder,
            "ANSIBLE_REMOTE_TEMP": os.path.join(server.folder, "ansible"),
            "VAULT_ADDR": server.address,
            "VAULT_TOKEN": "root",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }
        program = os.path.join(os.path.dirname(sys.executable), "ansible-playbook")
        done = subprocess.run(
            [program, "-i", "localhost,", "-c", "local", "-e",
             f"ansible_python_interpreter={sys.executable}", PLAYBOOK],
            env=env, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
        )
        passed = done.stdout.count("All assertions passed")
        report.passed += passed
        report.ok(f"the playbook ends well after {passed} assertions", done.returncode == 0,
                  done.stdout[-3000:] + done.stderr[-1000:])


def install(peers):
    """ansible-core into the environment, the collection into `peers`/ansible."""
    pip = [os.path.join(os.path.dirname(sys.executable), "pip"), "--disable-pip-version-check"]
    target = os.path.join(peers, "ansible")
    if not os.path.isdir(os.path.join(target, COLLECTION)):
        wheels = os.path.join(peers, "wheels")
        subprocess.run(
            [*pip, "download", "-q", "--no-deps", "-d", wheels, WHEEL], check=True
        )
        with zipfile.ZipFile(glob.glob(os.path.join(wheels, "ansible-*.whl"))[0]) as wheel:
            names = [name for name in wheel.namelist() if name.startswith(COLLECTION)]
            wheel.extractall(target, names)
    if not os.path.exists(os.path.join(os.path.dirname(sys.executable), "ansible-playbook")):
        subprocess.run([*pip, "install", "-q", CORE], check=True)
