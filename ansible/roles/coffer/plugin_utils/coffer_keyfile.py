"""The file with the unseal keys, on the controller, encrypted by ansible-vault.

Invariants
- What is in it reaches the disk as ciphertext only, and never passes through another file.
- It is made with mode 0600, so nobody else can open it at any moment; one that others may read, or
  that is not encrypted, is refused.
- `reserve` proves, before the node is asked, that it can be written: the vault password is there,
  the directory takes a file, and the disk has given the room.
- A file that exists is never replaced.
"""

from __future__ import annotations

import os
import stat

import yaml
from ansible.errors import AnsibleError

ENCRYPTED = b"$ANSIBLE_VAULT;"
# Ciphertext of 255 shares and a token stays below this.
ROOM_BYTES = 131072
FILE_BYTES_MAX = 1024 * 1024


class KeyFileError(Exception):
    """A fault of the file, with its remedy."""


class KeyFile:
    def __init__(self, path, vault):
        """`vault` is the play's VaultLib: with the passwords ansible was started with."""
        self.path, self._vault = path, vault

    def check(self):
        """Private and encrypted, where it is there."""
        if not self.path or not os.path.lexists(self.path):
            return
        mode = os.stat(self.path).st_mode
        if mode & stat.S_IRWXO:
            raise KeyFileError(
                f"{self.path} may be read by everybody on this machine: chmod 600 {self.path}"
            )
        with open(self.path, "rb") as file:
            if file.read(len(ENCRYPTED)) != ENCRYPTED:
                raise KeyFileError(
                    f"{self.path} is not encrypted: ansible-vault encrypt {self.path}"
                )

    def read(self):
        """Its fields; none where there is no file."""
        if not self.path or not os.path.lexists(self.path):
            return {}
        self.check()
        with open(self.path, "rb") as file:
            sealed = file.read(FILE_BYTES_MAX)
        try:
            fields = yaml.safe_load(self._vault.decrypt(sealed))
        except AnsibleError:
            raise KeyFileError(
                f"{self.path} is not opened by the vault password: give the right one with "
                "--ask-vault-pass or --vault-password-file"
            ) from None
        except yaml.YAMLError:
            fields = None
        if not isinstance(fields, dict):
            raise KeyFileError(f"{self.path} has no fields: it should hold coffer_unseal_keys")
        return fields

    def reserve(self, check_only=False):
        """Everything that can fail about writing it, done before there is anything to write."""
        if not self.path:
            raise KeyFileError("not initialised: coffer_keys_file says nowhere to put the keys")
        if os.path.lexists(self.path):
            raise KeyFileError(
                f"not initialised: {self.path} holds keys already, and no member is initialised. "
                "If they are an old cluster's, move the file away; if the members were wiped by "
                "accident, they may still be needed for a snapshot."
            )
        if not self._vault.secrets:
            raise KeyFileError(
                f"not initialised: {self.path} is to be encrypted, and there is no vault password. "
                "Give one with --ask-vault-pass or --vault-password-file."
            )
        try:
            self._vault.encrypt("tried before it is needed")
        except AnsibleError as error:
            raise KeyFileError(f"not initialised: ansible-vault does not work: {error}") from None
        return _Reservation(self.path, self._vault, check_only)


class _Reservation:
    """The room for the file: `path`.part, of full size, until `keep` makes it the file."""

    def __init__(self, path, vault, check_only):
        self.path, self._vault, self._check_only = path, vault, check_only
        self._part, self._handle, self._kept = path + ".part", None, False

    def __enter__(self):
        directory = os.path.dirname(self.path)
        if self._check_only:
            there = directory
            while not os.path.isdir(there):
                there = os.path.dirname(there)
            if not os.access(there, os.W_OK | os.X_OK):
                raise KeyFileError(f"would not initialise: {there} cannot be written")
            return self
        try:
            if not os.path.isdir(directory):
                os.makedirs(directory, mode=0o700)
        except OSError as error:
            raise KeyFileError(f"not initialised: the keys could not be kept: {error}") from None
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            self._handle = os.open(self._part, flags, 0o600)
            os.write(self._handle, b"\0" * ROOM_BYTES)
            os.fsync(self._handle)
        except FileExistsError:
            raise KeyFileError(
                f"not initialised: {self._part} is there. Another run is initialising now, or one "
                "was cut off: if no member is initialised, remove it and run this again."
            ) from None
        except OSError as error:
            self._drop()
            raise KeyFileError(f"not initialised: the keys could not be kept: {error}") from None
        return self

    def keep(self, fields):
        """Written in place, within the room that is there already."""
        sealed = self._vault.encrypt(yaml.safe_dump(fields))
        os.lseek(self._handle, 0, os.SEEK_SET)
        os.write(self._handle, sealed)
        os.ftruncate(self._handle, len(sealed))
        os.fsync(self._handle)
        try:
            # A link does not replace a file that came meanwhile.
            os.link(self._part, self.path)
        except OSError:
            if os.path.lexists(self.path):
                raise
            os.rename(self._part, self.path)
        self._kept = True
        handle = os.open(os.path.dirname(self.path), os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)

    def __exit__(self, kind, _error, _trace):
        # A part that holds keys and did not become the file is all there is of them.
        if self._handle is not None and (self._kept or not self._holds_keys()):
            self._drop()
        return False

    def _holds_keys(self):
        with open(self._part, "rb") as file:
            return file.read(len(ENCRYPTED)) == ENCRYPTED

    def _drop(self):
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        try:
            os.unlink(self._part)
        except FileNotFoundError:
            pass
