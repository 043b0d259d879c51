"""Sheets of paper: their codes are read by a real decoder (zbar) from the rendered page, their words
from the text of the document, and both are given to a real node."""

import os
import re
import shutil
import subprocess

from suite import COFFER, Node, check

TOOLS = ("pdftoppm", "pdftotext", "zbarimg")
KEY = "ab" * 32
STATIC = f'seal "static" {{\n  current_key_id = "k"\n  current_key = "{KEY}"\n}}'


def run(node, *words, stdin=None, wanted=0):
    env = {**os.environ, "VAULT_ADDR": f"http://127.0.0.1:{node.port}", "VAULT_TOKEN": node.token}
    done = subprocess.run([COFFER, "operator", *words], input=stdin, env=env, text=True,
                          capture_output=True)
    check(done.returncode == wanted, f"{words}: {done.returncode} {done.stdout} {done.stderr}")
    return done.stdout


def words_of(sheet):
    text = subprocess.run(["pdftotext", "-layout", sheet, "-"], check=True, text=True,
                          capture_output=True).stdout
    found = {int(at): word for at, word in re.findall(r"\b(\d{1,2}) {2,}([a-z]+)\b", text)}
    check(sorted(found) == list(range(1, 28)), f"{sheet} has 27 words: {sorted(found)}")
    return " ".join(found[at] for at in range(1, 28)), text


def code_of(sheet):
    page = f"{sheet}-page"
    subprocess.run(["pdftoppm", "-r", "110", "-png", "-singlefile", sheet, page], check=True)
    return subprocess.run(["zbarimg", "-q", "--raw", f"{page}.png"], check=True, text=True,
                          capture_output=True).stdout.strip()


def sheets(folder, kind, shares, generation):
    paths = [os.path.join(folder, f"{kind}-key-{at}-of-{shares}-generation-{generation}.pdf")
             for at in range(1, shares + 1)]
    for path in paths:
        check(os.stat(path).st_mode & 0o777 == 0o600, f"{path} is for its owner alone")
    return paths


def unseal_keys(folder):
    node = Node(folder).start("")
    run(node, "init", "-n", "3", "-t", "2", f"-sheet={folder}")
    first = sheets(folder, "unseal", 3, 1)
    words, text = words_of(first[0])
    check("Unseal key 1 of 3" in text and "2 of the 3 keys" in text, text)
    code = code_of(first[1])
    check(len(code) == 44, f"the code is a share in base64: {code}")
    run(node, "unseal", code)
    run(node, "unseal", "-", stdin=words)
    check(not node.status()["sealed"], "a code and words unseal")
    check(node.status()["cluster_id"] in text, "the sheet has the cluster's id")
    check("key 1 of 3" in run(node, "drill", "-", stdin=words), "the drill knows the share")
    begun = run(node, "rekey", "-init", "-n", "2", "-t", "2", "-format=json")
    nonce = re.search(r'"nonce": "([^"]+)"', begun)[1]
    give = ("rekey", f"-nonce={nonce}", f"-sheet={folder}")
    run(node, *give, code)
    run(node, *give, "-", stdin=words)
    second = sheets(folder, "unseal", 2, 2)
    said = run(node, "drill", code, wanted=2)
    check("Old" in said and "from before" in said, said)
    check("generation 2" in run(node, "drill", code_of(second[1])), "the new one is in force")
    node.stop()


def recovery_keys(folder):
    node = Node(folder).start(STATIC)
    run(node, "init", "-recovery-shares=2", "-recovery-threshold=2", f"-sheet={folder}")
    node.opens()
    paths = sheets(folder, "recovery", 2, 1)
    words, text = words_of(paths[0])
    check("Recovery key 1 of 2" in text and "They open nothing" in text, text)
    check("recovery key 1 of 2" in run(node, "drill", "-", stdin=words), "recovery keys are drilled")
    nonce = re.search(r'"nonce": "([^"]+)"', run(node, "generate-root", "-init", "-format=json"))[1]
    run(node, "generate-root", f"-nonce={nonce}", code_of(paths[1]))
    done = run(node, "generate-root", f"-nonce={nonce}", "-", stdin=words)
    check(re.search(r"Complete +true", done), done)
    node.stop()


def part(folder):
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        print(f"skipped sheets: {', '.join(missing)} not installed (poppler-utils, zbar-tools)")
        return
    for name, play in (("unseal", unseal_keys), ("recovery", recovery_keys)):
        below = os.path.join(folder, name)
        os.mkdir(below)
        play(below)
