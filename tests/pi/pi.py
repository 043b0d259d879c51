"""One emulated Raspberry Pi: its card, its console, its plug."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(HERE, "..", "..", "target", "pi")
# A kernel that hangs before its first process does so early (QEMU's raspi0 sometimes does).
BOOT_DEADLINE_S = 30
READY_DEADLINE_S = 60
BOOTS_MAX = 4
# Kernels that start together hang more often.
one_by_one = threading.Lock()

BOARDS = {
    # Debian's kernel for the Pi Zero; bcm2835_pm is not in QEMU's machine.
    "raspi0": {
        "qemu": ["qemu-system-arm", "-M", "raspi0"],
        "debian": "armel",
        "modules": ["ext4", "crc32c_generic", "cdc_ether"],
        "console": "ttyAMA0",
        "serial": ["-serial", "chardev:console"],
    },
    "raspi3b": {
        "qemu": ["qemu-system-aarch64", "-M", "raspi3b"],
        "debian": "arm64",
        "modules": ["bcm2835", "phy-generic", "dwc2", "cdc_ether", "i2c-bcm2835", "ext4",
                    "crc32c_generic"],
        # Its first serial line belongs to Bluetooth; the second is the console.
        "console": "ttyS1",
        "serial": ["-serial", "null", "-serial", "chardev:console"],
    },
}


class Hung(Exception):
    """The emulated machine did not get where it should in time."""


def until(what, condition, deadline_s, step_s=0.02):
    """The first true value of `condition`; raises `Hung` after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Hung(f"{what}: not within {deadline_s} s")
        time.sleep(step_s)


class Pi:
    """A machine by `name`, on the tap device `tap`, with the card image at `card`."""

    def __init__(self, folder, name, board, address, tap, more=()):
        self.name, self.board, self.address, self.tap = name, board, address, tap
        self.more = more
        self.folder = os.path.join(folder, name)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.card = os.path.join(self.folder, "card.img")
        self.process = self.line = None
        self.heard = b""
        self.sent = self.hangs = 0
        self.machine_line = ""

    def make_card(self, files, megabytes=128):
        """Writes a card with `files` (path on it: path here, or text) and busybox."""
        tree = os.path.join(self.folder, "tree")
        for place in ("bin", "sbin", "dev", "proc", "sys", "run", "tmp", "var/lib/coffer"):
            os.makedirs(os.path.join(tree, place))
        debian = os.path.join(TARGET, BOARDS[self.board]["debian"])
        shutil.copy(os.path.join(debian, "busybox"), os.path.join(tree, "bin/busybox"))
        applets = ["sh", "mount", "umount", "cat", "ip", "tr", "uname", "stty", "kill", "nc",
                   "usleep", "sleep", "sync", "grep", "dmesg", "ls", "echo", "date", "head",
                   "tail", "free", "df", "pidof", "rm", "mkdir", "cp", "mknod"]
        for applet in applets:
            os.symlink("busybox", os.path.join(tree, "bin", applet))
        own = {"sbin/init": os.path.join(HERE, "card/init"),
               "usr/local/bin/start": os.path.join(HERE, "card/start")}
        for place, content in {**own, **files}.items():
            path = os.path.join(tree, place)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.isdir(content):
                shutil.copytree(content, path, dirs_exist_ok=True)
            elif os.path.exists(content):
                shutil.copy(content, path)
            else:
                with open(path, "w") as file:
                    file.write(content)
        with open(self.card, "wb") as card:
            card.truncate(megabytes << 20)
        options = ["-q", "-F", "-E", "root_owner=0:0,lazy_itable_init=1"]
        subprocess.run(["/sbin/mkfs.ext4", *options, "-d", tree, self.card], check=True)
        shutil.rmtree(tree)

    def boot(self):
        """Plugs it in; returns the seconds of guest time until its shell listens."""
        for _ in range(BOOTS_MAX):
            try:
                with one_by_one:
                    self.plug()
                    self.wait_for(rb"BOOTED [\d.]+ ([^\r\n]*)", BOOT_DEADLINE_S)
                ready = self.wait_for(rb"READY ([\d.]+) ([^\r\n]*)", READY_DEADLINE_S)
                self.machine_line = ready.group(2).decode()
                self.greet()
                return float(ready.group(1))
            except Hung as hung:
                self.hangs += 1
                print(f"   {self.name} hung early ({hung}); once more", flush=True)
                self.cut()
        raise Hung(f"{self.name} did not boot {BOOTS_MAX} times; its console: {self.heard[-600:]}")

    def plug(self):
        board = BOARDS[self.board]
        debian = os.path.join(TARGET, board["debian"])
        words = (f"console={board['console']},115200 rdinit=/init panic=1 loglevel=4 "
                 f"initcall_blacklist=bcm2835_pm_driver_init address={self.address}")
        self.sockets = [os.path.join(self.folder, name) for name in ("console", "qmp")]
        for path in self.sockets:
            if os.path.exists(path):
                os.unlink(path)
        mac = "52:54:00:77:00:%02x" % int(self.address.rsplit(".", 1)[1])
        command = [
            *board["qemu"],
            "-kernel", os.path.join(debian, "kernel"), "-dtb", os.path.join(debian, "dtb"),
            "-initrd", os.path.join(debian, "initrd"), "-append", words,
            "-drive", f"if=sd,format=raw,file={self.card}",
            "-netdev", f"tap,id=net,ifname={self.tap},script=no,downscript=no",
            "-device", f"usb-net,netdev=net,mac={mac}",
            "-chardev", f"socket,id=console,path={self.sockets[0]},server=on,wait=on",
            *board["serial"],
            "-qmp", f"unix:{self.sockets[1]},server=on,wait=off",
            "-display", "none", "-monitor", "none", "-no-reboot",
            *self.more,
        ]
        log = open(os.path.join(self.folder, "qemu.log"), "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.heard = b""
        self.line = until("QEMU listens", self.connect, 10)
        self.line.setblocking(False)

    def connect(self):
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(self.sockets[0])
        except OSError:
            line.close()
            return None
        return line

    def listen(self):
        """Takes in what the console said since; raises `Hung` when QEMU ended."""
        try:
            while block := self.line.recv(65536):
                self.heard += block
        except BlockingIOError:
            pass
        if self.process.poll() is not None:
            raise Hung(f"QEMU ended with {self.process.returncode}: {self.heard[-600:]}")

    def greet(self):
        """Speaks until the shell answers: what is said to a console too early is lost."""
        for _ in range(READY_DEADLINE_S // 2):
            self.line.sendall(b'echo "HEA""RD"\n')
            try:
                self.wait_for(rb"HEARD", 2)
                return
            except Hung:
                continue
        raise Hung(f"{self.name}: nobody listens at the console")

    def wait_for(self, pattern, deadline_s, start=0):
        def look():
            self.listen()
            return re.search(pattern, self.heard[start:])
        return until(f"{self.name}: {pattern.decode()}", look, deadline_s)

    def shell(self, command, deadline_s=60):
        """Runs a line of shell in the guest; its output."""
        self.sent += 1
        self.listen()
        start = len(self.heard)
        self.line.sendall(f"{command}; echo \"END\"-{self.sent}\n".encode())
        found = self.wait_for(rb"(?s)(.*?)END-%d\r?\n" % self.sent, deadline_s, start)
        return found.group(1).decode(errors="replace").replace("\r", "")

    def qmp(self, command):
        """Asks QEMU's monitor, through QMP."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(20)
            line.connect(self.sockets[1])
            file = line.makefile("rw")
            file.readline()
            answers = []
            for words in ({"execute": "qmp_capabilities"},
                          {"execute": "human-monitor-command",
                           "arguments": {"command-line": command}}):
                file.write(json.dumps(words) + "\n")
                file.flush()
                while not {"return", "error"} & (answer := json.loads(file.readline())).keys():
                    pass
                answers.append(answer["return"])
            return answers[-1].strip()

    def cut(self):
        """Takes the power away: nothing of the machine runs on for a moment longer."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if self.line:
            self.line.close()
        self.process = self.line = None
