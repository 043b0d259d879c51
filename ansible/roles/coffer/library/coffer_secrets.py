#!/usr/bin/python
"""Writes small secret files, of which nothing else is left on any disk."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: coffer_secrets
short_description: Write secret files into a folder of root's
description:
  - Makes the folder (0750) and the files (0640), both root's and of a group that may read them.
    A file is replaced whole. Other files of the folder are left alone.
  - With pipelining, which the role asks for, the content passes through no other file on the host.
options:
  folder: {description: The folder., type: path, required: true}
  group: {description: The group that may read., type: str, required: true}
  files:
    description: The files, each with C(path) and C(content).
    type: list
    elements: dict
    required: true
author: [coffer]
"""

EXAMPLES = r"""
- name: Keep the token in memory
  coffer_secrets: {folder: /run/coffer-seal, group: coffer, files: [{path: /run/x, content: s.x}]}
"""

RETURN = r"""
written: {description: The paths that were not so before., type: list, returned: always}
"""

import grp
import os
import stat

from ansible.module_utils.basic import AnsibleModule

FOLDER_MODE, FILE_MODE = 0o750, 0o640


def is_so(path, group, mode, content=None):
    """A link, or a file that somebody else may change, is not."""
    try:
        found = os.lstat(path)
        if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (0, group, mode):
            return False
        if content is None:
            return stat.S_ISDIR(found.st_mode)
        if not stat.S_ISREG(found.st_mode):
            return False
        with open(path, "rb") as file:
            return file.read() == content
    except OSError:
        return False


def write(path, group, content):
    part = path + ".part"
    if os.path.lexists(part):
        os.unlink(part)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.write(handle, content)
        os.fchown(handle, 0, group)
        os.fchmod(handle, FILE_MODE)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.rename(part, path)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            folder=dict(type="path", required=True),
            group=dict(type="str", required=True),
            files=dict(
                type="list",
                elements="dict",
                required=True,
                options=dict(
                    path=dict(type="path", required=True),
                    content=dict(type="str", required=True, no_log=True),
                ),
            ),
        ),
        supports_check_mode=True,
    )
    folder, written = module.params["folder"], []
    try:
        group = grp.getgrnam(module.params["group"]).gr_gid
    except KeyError:
        if module.check_mode:
            module.exit_json(changed=True, written=[])
        module.fail_json(msg="there is no group %s" % module.params["group"])
    try:
        if not is_so(folder, group, FOLDER_MODE):
            written.append(folder)
            if not module.check_mode:
                os.makedirs(folder, 0o700, exist_ok=True)
                os.chown(folder, 0, group)
                os.chmod(folder, FOLDER_MODE)
        for file in module.params["files"]:
            content = (file["content"] + "\n").encode()
            if not is_so(file["path"], group, FILE_MODE, content):
                written.append(file["path"])
                if not module.check_mode:
                    write(file["path"], group, content)
    except OSError as error:
        # A file system without owners, as FAT is, can not keep others from reading it.
        module.fail_json(msg="%s: %s. Nothing is left half-written." % (folder, error))
    module.exit_json(changed=bool(written), written=written)


if __name__ == "__main__":
    main()
