"""Laws of atomic files: a reader never sees a part of one."""

import errno
import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from enas_tf.errors import InputError
from enas_tf.runtime import files


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def tree(directory: Path) -> dict[str, str]:
    return {str(p.relative_to(directory)): p.read_text() for p in sorted(directory.rglob("*")) if p.is_file()}


@pytest.fixture
def child(tmp_path):
    """Return a directory with one old file."""
    path = tmp_path / "child"
    path.mkdir()
    (path / "old.txt").write_text("old")
    return path


class TestFiles:
    def test_content_arrives_and_nothing_stays_beside_it(self, tmp_path):
        files.write_text(tmp_path / "a.txt", "one")
        files.write_text(tmp_path / "a.txt", "zwei – 2\n")
        files.write_bytes(tmp_path / "b.bin", b"\x00\xff")
        files.write_json(str(tmp_path / "c.json"), {"b": [1, 2.5], "a": None})
        assert (tmp_path / "a.txt").read_bytes() == "zwei – 2\n".encode()
        assert (tmp_path / "b.bin").read_bytes() == b"\x00\xff"
        assert json.loads((tmp_path / "c.json").read_text()) == {"b": [1, 2.5], "a": None}
        assert names(tmp_path) == ["a.txt", "b.bin", "c.json"]

    def test_the_place_holds_the_old_file_until_the_new_one_is_whole_and_synced(self, tmp_path, monkeypatch):
        path, seen = tmp_path / "a.txt", []
        path.write_text("old")
        sync, replace = os.fsync, os.replace
        monkeypatch.setattr(os, "fsync", lambda fd: (seen.append(("sync", path.read_text())), sync(fd)))
        monkeypatch.setattr(
            os, "replace", lambda a, b: (seen.append((Path(a).read_text(), path.read_text())), replace(a, b))
        )
        files.write_text(path, "new")
        assert seen == [("sync", "old"), ("new", "old"), ("sync", "new")]

    def test_an_error_leaves_the_old_file_and_nothing_else(self, tmp_path, monkeypatch):
        files.write_text(tmp_path / "a.json", "old")
        with pytest.raises(ValueError, match="not JSON compliant"):
            files.write_json(tmp_path / "a.json", {"loss": float("nan")})
        monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        with pytest.raises(OSError, match="full"):
            files.write_text(tmp_path / "a.json", "new")
        assert tree(tmp_path) == {"a.json": "old"}

    def test_a_new_file_has_ordinary_permissions(self, tmp_path):
        (tmp_path / "ordinary").write_text("")
        files.write_text(tmp_path / "a.txt", "")
        assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == stat.S_IMODE((tmp_path / "ordinary").stat().st_mode)

    def test_a_directory_in_its_place_is_refused_and_kept(self, child):
        with pytest.raises(InputError, match=f"{child} is a directory: expected a file"):
            files.write_text(child, "new")
        assert tree(child) == {"old.txt": "old"}

    def test_leftovers_of_killed_processes_are_removed_and_nothing_else(self, tmp_path):
        kept = ["b.json", ".hidden", ".a.new", ".a.new.json", ".a.12.new.d"]
        for name in kept[:-1]:
            (tmp_path / name).write_text(name)
        (tmp_path / kept[-1]).mkdir()
        with files.replacement(tmp_path / "b.json") as aside:
            aside.write_text("whole")
            shutil.copy(aside, tmp_path / aside.name.replace(str(os.getpid()), "345"))
        (tmp_path / ".run.12.new.flags").write_text("half")
        files.remove_leftovers(tmp_path)
        assert names(tmp_path) == sorted(kept)


class TestReplaceDirectory:
    def test_makes_and_replaces_the_whole_directory(self, tmp_path):
        for content in ("one", "two"):
            with files.replace_directory(tmp_path / "deep" / "child") as new:
                assert new.parent == tmp_path / "deep"
                (new / content).mkdir()
                (new / content / "file").write_text(content)
            assert tree(tmp_path) == {f"deep/child/{content}/file": content}
            assert names(tmp_path / "deep") == ["child"]

    def test_the_old_directory_stands_until_the_block_ends(self, child):
        with files.replace_directory(child) as new:
            (new / "new.txt").write_text("new")
            assert tree(child) == {"old.txt": "old"}
        assert tree(child) == {"new.txt": "new"}

    def test_every_file_is_synced_before_the_swap(self, child, monkeypatch):
        synced, sync = [], os.fsync
        monkeypatch.setattr(os, "fsync", lambda fd: (synced.append((os.fstat(fd).st_ino, child.exists())), sync(fd)))
        shutil.rmtree(child)
        with files.replace_directory(child) as new:
            (new / "deep").mkdir()
            (new / "deep" / "new.txt").write_text("new")
        inside = {p.stat().st_ino for p in (child, *child.rglob("*"))}
        assert {inode for inode, is_swapped in synced if not is_swapped} == inside

    def test_an_error_in_the_block_changes_nothing(self, child):
        def write_half(new):
            (new / "new.txt").write_text("new")
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), files.replace_directory(child) as new:
            write_half(new)
        assert tree(child.parent) == {"child/old.txt": "old"}
        assert names(child.parent) == ["child"]

    def test_a_swap_that_fails_half_way_puts_the_old_directory_back(self, child, monkeypatch):
        rename = os.rename

        def fail_for_new(source, target):
            if str(source).endswith(".new"):
                raise OSError(errno.EIO, "broken disk")
            rename(source, target)

        monkeypatch.setattr(os, "rename", fail_for_new)
        with pytest.raises(OSError, match="broken disk"), files.replace_directory(child):
            pass
        assert tree(child.parent) == {"child/old.txt": "old"}
        assert names(child.parent) == ["child"]

    def test_what_a_killed_process_left_is_put_right(self, child):
        os.rename(child, child.with_name(".child.old"))  # killed between the two renames
        child.with_name(".child.new").mkdir()
        (child.with_name(".child.new") / "half.txt").write_text("half")
        with files.replace_directory(child) as new:
            assert names(new) == []
            assert tree(child) == {"old.txt": "old"}
            (new / "new.txt").write_text("new")
        assert tree(child.parent) == {"child/new.txt": "new"}
        assert names(child.parent) == ["child"]

    def test_a_file_in_its_place_is_refused_and_kept(self, tmp_path):
        (tmp_path / "child").write_text("mine")
        with pytest.raises(InputError, match="child is a file"), files.replace_directory(tmp_path / "child"):
            pass
        assert tree(tmp_path) == {"child": "mine"}


class TestEnsureWritable:
    def test_creates_the_directory_and_leaves_no_trace_in_it(self, tmp_path):
        path = tmp_path / "a" / "b"
        assert files.ensure_writable(str(path)) == path
        assert names(path) == []
        assert files.ensure_writable(path) == path

    @pytest.mark.parametrize("below", ["", "b", "b/c"])
    def test_a_file_in_its_place_or_above_is_named(self, tmp_path, below):
        (tmp_path / "a").write_text("mine")
        path = tmp_path / "a" / below
        with pytest.raises(InputError) as caught:
            files.ensure_writable(path)
        assert str(path) in str(caught.value)
        assert tree(tmp_path) == {"a": "mine"}

    @pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
    @pytest.mark.parametrize("step", ["pathlib.Path.mkdir", "tempfile.TemporaryFile"])
    def test_what_the_system_refuses_is_named(self, tmp_path, monkeypatch, step, code):
        def refuse(*_, **__):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(step, refuse)
        with pytest.raises(InputError, match=os.strerror(code)) as caught:
            files.ensure_writable(tmp_path / "run")
        assert str(tmp_path / "run") in str(caught.value)
