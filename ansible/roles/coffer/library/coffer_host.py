#!/usr/bin/python
"""Looks at a host, once, before anything on it is changed."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: coffer_host
short_description: Tell what a host is, and who holds the ports that coffer needs
description:
  - Returns in one call what the role must know of a host before it changes anything there. One
    call, because each costs seconds on a Pi Zero.
  - Changes nothing, and runs in check mode too.
options:
  binary: {description: Where the binary is or will be., type: path, required: true}
  unit: {description: The systemd unit of the node., type: str, required: true}
  files: {description: What the node reads at its start., type: list, elements: path}
  places: {description: Folders and files to tell of., type: list, elements: path}
  user: {description: The service's user., type: str}
  ports: {description: TCP ports that the node listens on., type: list, elements: int, required: true}
  disks: {description: Paths whose disk is to be told., type: list, elements: path}
  mounts:
    description: Where something will be mounted, and what, for paths below that are not yet there.
    type: dict
author: [coffer]
"""

EXAMPLES = r"""
- name: Look at the host
  coffer_host: {binary: /usr/local/bin/coffer, unit: coffer.service, ports: [8200, 8201]}
  register: coffer_host
"""

RETURN = r"""
machine: {description: The kernel's word for its architecture., type: str, returned: always}
bits: {description: Width of an address in the userland: 32 or 64., type: int, returned: always}
time: {description: Seconds since 1970 by the host's clock., type: float, returned: always}
systemd: {description: Whether systemd is PID 1., type: bool, returned: always}
places: {description: "Those that are there: kind, owner, group, mode, sha256.", type: dict, returned: always}
user: {description: Whether that user is there., type: bool, returned: always}
disks:
  description: "For each path whether it is there, and its disk: C(mmcblk0), C(memory), or a number
    where the kernel shows no disk."
  type: dict
  returned: always
binary_sha256: {description: Empty where there is no binary., type: str, returned: always}
service: {description: What systemd says of the unit., type: dict, returned: always}
stale: {description: Whether what runs is older than its files., type: bool, returned: always}
taken: {description: Ports that somebody else listens on, and who., type: list, returned: always}
"""

import glob
import grp
import hashlib
import os
import platform
import pwd
import stat
import struct
import time

from ansible.module_utils.basic import AnsibleModule

LISTENS = "0A"


def listeners(ports):
    """Inodes of the sockets that listen on one of the ports."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as lines:
                rows = [line.split() for line in lines][1:]
        except (IOError, OSError):
            continue
        for row in rows:
            port = int(row[1].rsplit(":", 1)[1], 16)
            if row[3] == LISTENS and port in ports:
                found[row[9]] = port
    return found


def holders(inodes):
    """Returns the processes with those sockets: inode to process number."""
    found = {}
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            found[target[8:-1]] = int(link.split("/")[2])
    return found


def program(pid):
    try:
        return os.readlink("/proc/%d/exe" % pid)
    except OSError:
        return "a program that cannot be seen"


def service(module, unit):
    names = ("LoadState", "ActiveState", "MainPID", "NeedDaemonReload")
    code, out, _err = module.run_command(["systemctl", "show", "-p", ",".join(names), unit])
    if code != 0:
        return {}
    return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)


def stale(pid, files):
    """A run that was cut off between a file and the restart leaves no other trace."""
    if not pid:
        return False
    try:
        if program(pid).endswith(" (deleted)"):
            return True
        with open("/proc/%d/stat" % pid) as text:
            ticks = float(text.read().rsplit(")", 1)[1].split()[19])
        with open("/proc/uptime") as text:
            uptime = float(text.read().split()[0])
    except (IOError, OSError, IndexError, ValueError):
        return False
    started = time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
    return any(os.path.exists(path) and os.path.getmtime(path) > started for path in files)


def taken(ports, own_pid):
    sockets = listeners(set(ports))
    owners = holders(set(sockets)) if sockets else {}
    rows = []
    for inode, port in sorted(sockets.items(), key=lambda item: item[1]):
        pid = owners.get(inode, 0)
        if not pid or pid != own_pid:
            who = program(pid) if pid else "a program that cannot be seen"
            row = {"port": port, "pid": pid, "program": who}
            if row not in rows:
                rows.append(row)
    return rows


def sha256(path):
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as content:
            for chunk in iter(lambda: content.read(65536), b""):
                digest.update(chunk)
    except (IOError, OSError):
        return ""
    return digest.hexdigest()


def name_of(table, number):
    try:
        return table(number)[0]
    except KeyError:
        return str(number)


def place(path):
    """Not through links: what is one is told as nothing."""
    try:
        found = os.lstat(path)
    except OSError:
        return {}
    kinds = {stat.S_IFDIR: "folder", stat.S_IFREG: "file"}
    kind = kinds.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        return {}
    return dict(
        kind=kind,
        owner=name_of(pwd.getpwuid, found.st_uid),
        group=name_of(grp.getgrgid, found.st_gid),
        mode="%04o" % stat.S_IMODE(found.st_mode),
        sha256=sha256(path) if kind == "file" else "",
    )


def device(path):
    """The number of the device that a path is, or that it is or will be on."""
    while not os.path.exists(path) and path != "/":
        path = os.path.dirname(path.rstrip("/"))
    found = os.stat(path)
    return found.st_rdev if stat.S_ISBLK(found.st_mode) else found.st_dev


def mounted(number):
    """Type and source of a file system that is mounted."""
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            left, _dash, right = line.partition(" - ")
            if left.split()[2] == number:
                return right.split()[:2]
    return "", ""


def disk(at):
    """The whole disk: two partitions of a card are one."""
    number = "%d:%d" % (os.major(at), os.minor(at))
    where = os.path.realpath("/sys/dev/block/" + number)
    if not os.path.isdir(where):
        kind, source = mounted(number)
        if kind in ("tmpfs", "ramfs"):
            return "memory"
        return disk(device(source)) if source.startswith("/dev/") else number
    below = sorted(glob.glob(where + "/slaves/*"))
    if below:
        where = os.path.realpath(below[0])
    if os.path.exists(where + "/partition"):
        where = os.path.dirname(where)
    return os.path.basename(where)


def disk_of(path, mounts):
    there, at = os.path.exists(path), path
    for place, what in mounts.items():
        if (path + "/").startswith(place + "/") and not os.path.ismount(place):
            tag, _is, name = what.partition("=")
            at = "/dev/disk/by-%s/%s" % (tag.lower(), name) if name else what
            if not os.path.exists(at):
                return dict(there=False, disk=what)
            there = True
    return dict(there=there, disk=disk(device(at)))


def is_user(name):
    try:
        return bool(name and pwd.getpwnam(name))
    except KeyError:
        return False


def main():
    module = AnsibleModule(
        argument_spec=dict(
            binary=dict(type="path", required=True),
            unit=dict(type="str", required=True),
            ports=dict(type="list", elements="int", required=True),
            files=dict(type="list", elements="path", default=[]),
            places=dict(type="list", elements="path", default=[]),
            user=dict(type="str", default=""),
            disks=dict(type="list", elements="path", default=[]),
            mounts=dict(type="dict", default={}),
        ),
        supports_check_mode=True,
    )
    has_systemd = os.path.isdir("/run/systemd/system")
    found = service(module, module.params["unit"]) if has_systemd else {}
    pid = int(found.get("MainPID") or 0)
    module.exit_json(
        changed=False,
        machine=platform.machine(),
        bits=struct.calcsize("P") * 8,
        time=time.time(),
        systemd=has_systemd,
        places={path: place(path) for path in module.params["places"]},
        disks={path: disk_of(path, module.params["mounts"]) for path in module.params["disks"]},
        user=is_user(module.params["user"]),
        binary_sha256=sha256(module.params["binary"]),
        service=found,
        stale=stale(pid, module.params["files"]),
        taken=taken(module.params["ports"], pid),
    )


if __name__ == "__main__":
    main()
