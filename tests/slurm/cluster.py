"""A throw-away SLURM cluster on loopback: a controller, two nodes without and two nodes with (make-believe) GPUs.

Where slurmdbd and MariaDB can be had there is accounting too, with one account.

`python -m tests.slurm.cluster` starts one, prints how to use it and stops it at Ctrl-C.
"""

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

PACKAGES = ("slurm-wlm", "munge")
ACCOUNTING = ("slurmdbd", "mariadb-server")
ACCOUNT = "parley"
#: Where the commands on a node look for their configuration: the executor's job step keeps SLURM_CONF from them.
USUAL = Path("/etc/slurm/slurm.conf")
#: The GPUs of each node: what SLURM calls them, and how many.
NODES: dict[str, tuple[str, int]] = {"cpu1": ("", 0), "spare1": ("", 0), "gpu1": ("h100", 2), "gpu2": ("a100", 2)}
PATIENCE = 60.0  # seconds
QUIETLY = ("-y", "-qq", "--no-install-recommends")
#: What tells the leash that there is nothing left to do.
RELEASE = b"done"
HERE = Path(__file__).resolve().parents[2]

SLURM_CONF = """\
ClusterName=loopback
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
# Nothing listens but on loopback.
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
# A job that is queued again waits for its old credential to end.
AuthInfo=socket={folder}/munge/socket,cred_expire=4
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStoreFlags=job_comment
{accounting}
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool/%n
StateSaveLocation={folder}/state
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
# Nodes claim more cores and memory than this machine has.
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=5,batch_sched_delay=0
MinJobAge=3600
KillWait=2
OverTimeLimit=0
ReturnToService=2
InactiveLimit=0
Waittime=0
GresTypes=gpu
PartitionName=cpu Nodes=cpu1 Default=YES MaxTime=2880 DefMemPerCPU=500 State=UP
PartitionName=spare Nodes=spare1 MaxTime=2880 DefMemPerCPU=500 State=UP
PartitionName=gpu Nodes=gpu1,gpu2 MaxTime=2880 DefMemPerCPU=500 State=UP
"""

WITHOUT_ACCOUNTING = "AccountingStorageType=accounting_storage/none"
WITH_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={folder}/munge/socket
AccountingStorageTRES=gres/gpu
AccountingStorageEnforce=associations"""
SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
PidFile={folder}/run/slurmdbd.pid
LogFile={folder}/log/slurmdbd.log
CommunicationParameters=NoInAddrAny
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
"""
DATABASE = """\
CREATE DATABASE slurm;
CREATE USER 'slurm'@'127.0.0.1' IDENTIFIED BY 'slurm';
CREATE USER 'slurm'@'localhost' IDENTIFIED BY 'slurm';
GRANT ALL ON slurm.* TO 'slurm'@'127.0.0.1';
GRANT ALL ON slurm.* TO 'slurm'@'localhost';
"""


class Absent(Exception):
    """Why there can be no cluster here."""


@contextmanager
def cluster() -> Iterator["Cluster"]:
    """A running cluster for the length of the block; nothing of it is left behind. One at a time on a machine.

    Raises `Absent` where SLURM is not installed and cannot be.
    """
    install()
    with _alone(), tempfile.TemporaryDirectory(prefix="parley-slurm-") as folder:
        running = Cluster(Path(folder))
        try:
            running.start()
            yield running
        finally:
            running.stop()


def install() -> None:
    """Install SLURM if it is missing. Raises `Absent` where that cannot be done."""
    if os.geteuid() != 0:
        raise Absent("a throw-away SLURM cluster needs root: it makes device files and a link in /etc/slurm")
    if not all(map(shutil.which, ("slurmctld", "slurmd", "munged", "mknod"))):
        if shutil.which("apt-get") is None:
            raise Absent("SLURM is not installed, and there is no apt-get to install it with")
        for command in (["update", "-qq"], ["install", *QUIETLY, *PACKAGES]):
            if fault := _apt_get(command):
                raise Absent(f"SLURM is not installed, and apt-get {command[0]} fails: {fault}")
        _apt_get(["install", *QUIETLY, *ACCOUNTING])  # where it fails there is no accounting
    if USUAL.exists() and not _ours(USUAL):
        raise Absent(f"{USUAL} belongs to another cluster")


def _apt_get(command: list[str]) -> str:
    """Why it failed; nothing if it did not."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True, check=False)
    last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
    return (" ".join(last) or "no word of it") if done.returncode else ""


class Cluster:
    """The daemons of a cluster, all in one folder. `environment` is what its commands need.

    `accounting` says whether it has an account and `sacct`.
    """

    def __init__(self, folder: Path) -> None:
        self.accounting = all(map(shutil.which, ("slurmdbd", "mariadbd", "mariadb-install-db", "mariadb")))
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self.environment = {"SLURM_CONF": str(self.conf)}
        self._started = False
        self._leash: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start all daemons and wait until every node is idle. Raises RuntimeError with the logs if that fails."""
        self.folder.chmod(0o755)
        for name in ("run", "log", "state", "dev", "munge", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        self._write()
        USUAL.parent.mkdir(exist_ok=True)
        USUAL.unlink(missing_ok=True)  # `install` has seen that it is none, or a cluster's that was killed
        USUAL.symlink_to(self.conf)
        self._started = True
        # Ends the daemons if this process is killed, also in the midst of `stop`: the pipe to it ends then.
        leash = [sys.executable, "-m", "tests.slurm.cluster", "leash", str(self.folder)]
        self._leash = subprocess.Popen(leash, cwd=HERE, stdin=subprocess.PIPE, start_new_session=True)
        munge = self.folder / "munge"
        self.command(
            *("munged", "--force", f"--socket={munge}/socket", f"--key-file={munge}/key"),
            *(f"--pid-file={self.folder}/run/munged.pid", f"--seed-file={munge}/seed"),
            f"--log-file={self.folder}/log/munged.log",
        )
        if self.accounting:
            self._account()
        self.command("slurmctld", "-c")
        for node in NODES:
            self.command("slurmd", "-c", "-N", node)
        self._wait("its nodes", lambda: self.states() == dict.fromkeys(NODES, "idle"))

    def stop(self) -> None:
        """Cancel what runs and end every daemon that was started; the leash last of all."""
        if self._started:
            if (self.folder / "run" / "slurmctld.pid").exists():
                with suppress(subprocess.SubprocessError, RuntimeError):  # what is to end may be half dead
                    self.command("scancel", "--user=root", "--signal=KILL", "--full")
                    self.command("scancel", "--user=root")
                    self._wait("its jobs to end", lambda: not self.command("squeue", "-h", "-t", "running,completing"))
            _end([self.folder / "run" / f"{name}.pid" for name in (*[f"slurmd-{node}" for node in NODES], "slurmctld")])
            self._sweep()  # accounts, database and munge: there is nothing in them to be saved
            if USUAL.is_symlink() and Path(os.readlink(USUAL)) == self.conf:
                USUAL.unlink()
        if self._leash is not None:
            self._leash.communicate(RELEASE)

    def _sweep(self) -> None:
        """Kill what is left of the cluster, also what was just starting and has no file with its number yet."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words, conf = process.cmdline(), process.environ().get("SLURM_CONF", "")
                ours = conf == str(self.conf) or any(str(self.folder) in word for word in words)
                if ours and process.pid not in (os.getpid(), self._leash and self._leash.pid):
                    process.kill()
                    found.append(process)
        psutil.wait_procs(found, timeout=PATIENCE / 4)

    def command(self, *words: str) -> str:
        """What a command of SLURM prints. Raises CalledProcessError if it fails."""
        environment = {**os.environ, **self.environment}
        # Daemons keep what they inherit: a pipe would never end.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                words, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=60, check=False
            )
            output.seek(0)
            text = output.read()
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, words, text)
        return text

    def states(self) -> dict[str, str]:
        """The state of every node, by name."""
        try:
            lines = self.command("sinfo", "-h", "-N", "-o", "%N %T").splitlines()
        except subprocess.SubprocessError:  # the controller is not there yet
            return {}
        return dict(line.split(maxsplit=1) for line in lines)

    def jobs(self) -> list[dict[str, str]]:
        """What SLURM knows of every job so far, in the words of `scontrol show job`."""
        text = self.command("scontrol", "show", "job", "--oneliner")
        lines = [line for line in text.splitlines() if line.startswith("JobId=")]
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def lose(self, node: str) -> None:
        """Let a node die with all that runs on it, and come back empty."""
        self.command("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                environment = process.environ()
                if environment.get("SLURMD_NODENAME") == node and "SLURM_JOB_ID" in environment:
                    process.kill()
        with suppress(subprocess.CalledProcessError):  # its slurmd may have called it back already
            self.command("scontrol", "update", f"nodename={node}", "state=resume")

    def _account(self) -> None:
        """Start a database and what keeps the accounts in it, with one account for who runs this."""
        data, socket_file = self.folder / "database", self.folder / "database" / "socket"
        data.mkdir()
        shutil.chown(data, "mysql")
        options = ["--no-defaults", "--user=mysql", f"--datadir={data}"]
        self.command("mariadb-install-db", *options, "--auth-root-authentication-method=normal", "--skip-test-db")
        options += [f"--socket={socket_file}", "--bind-address=127.0.0.1", f"--port={self._database}"]
        options += [f"--pid-file={data}/pid", f"--log-error={self.folder}/log/mariadb.log", "--skip-log-bin"]
        options += ["--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"]
        # By a shell that ends at once, so that nobody has to wait for what it leaves.
        self.command("sh", "-c", 'mariadbd "$@" &', "sh", *options)
        self._wait("its database", lambda: socket_file.exists() and (data / "pid").exists())
        shutil.copy(data / "pid", self.folder / "run" / "mariadb.pid")
        self.command("mariadb", "--no-defaults", "-uroot", "-S", str(socket_file), "-e", DATABASE)
        self.command("slurmdbd")
        self._wait("its accounts", lambda: self._answers("sacctmgr", "-n", "show", "cluster"))
        for entry in (["cluster", "loopback"], ["account", ACCOUNT], ["user", "root", f"account={ACCOUNT}"]):
            self.command("sacctmgr", "-i", "add", *entry)

    def _answers(self, *words: str) -> bool:
        try:
            self.command(*words)
        except subprocess.SubprocessError:
            return False
        return True

    def _write(self) -> None:
        controller, node, dbd, self._database, *others = free_ports(4 + len(NODES))
        accounting = WITH_ACCOUNTING.format(folder=self.folder, port=dbd) if self.accounting else WITHOUT_ACCOUNTING
        text = SLURM_CONF.format(folder=self.folder, controller=controller, node=node, accounting=accounting)
        dbd_conf = self.folder / "slurmdbd.conf"
        dbd_conf.write_text(SLURMDBD_CONF.format(folder=self.folder, port=dbd, database=self._database))
        dbd_conf.chmod(0o600)
        devices: list[str] = []
        for (name, (model, count)), port in zip(NODES.items(), others, strict=True):
            gpus = f" Gres=gpu:{model}:{count} Feature={model}" if count else ""
            where = f"NodeHostname=localhost NodeAddr=127.0.0.1 Port={port}"
            text += f"NodeName={name} {where} CPUs=8 RealMemory=64000{gpus} State=UNKNOWN\n"
            files = [self.folder / "dev" / f"{name}-{number}" for number in range(count)]
            for file in files:
                os.mknod(file, 0o666 | 0o020000, os.makedev(1, 3))  # the device that /dev/null is
                devices.append(f"NodeName={name} Name=gpu Type={model} File={file}\n")
        self.conf.write_text(text)
        (self.folder / "gres.conf").write_text("AutoDetect=off\n" + "".join(devices))
        (self.folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
        munge = self.folder / "munge"
        munge.chmod(0o700)
        (munge / "key").write_bytes(secrets.token_bytes(1024))
        (munge / "key").chmod(0o600)
        munge.chmod(0o755)

    def _wait(self, what: str, over: Callable[[], bool]) -> None:
        last = time.monotonic() + PATIENCE
        while not over():
            if time.monotonic() > last:
                logs = "\n".join(f"{path.name}:\n{path.read_text()[-2000:]}" for path in self.folder.glob("log/*"))
                raise RuntimeError(f"the cluster: waited {PATIENCE:.0f} s for {what}; nodes {self.states()}\n{logs}")
            time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _ours(link: Path) -> bool:
    """True for the link that a cluster of ours made, also one that was killed."""
    return link.is_symlink() and "parley-slurm-" in os.readlink(link)


def _end(pid_files: Iterable[Path]) -> None:
    """End daemons, in good order if they can."""
    processes = [int(file.read_text()) for file in pid_files if file.exists() and file.read_text().strip()]
    last = time.monotonic() + PATIENCE / 4
    number = signal.SIGTERM
    while processes:
        for process in [*processes]:
            try:
                os.kill(process, number)
            except ProcessLookupError:
                processes.remove(process)
        time.sleep(0.1)
        if time.monotonic() > last:
            number = signal.SIGKILL


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for the cluster of another process on this machine to be stopped."""
    with Path(tempfile.gettempdir(), "parley-slurm.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock.fileno(), False)
        yield


def follow(folder: Path) -> None:
    """Wait for the process that started the cluster in `folder` to end, then end what it has left of the cluster.

    Whoever ends that process and all its children by a signal does not reach this one: only SIGKILL would.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read() == RELEASE:
        return
    left = Cluster(folder)
    left._started = True
    left.stop()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["leash"]:
        follow(Path(sys.argv[2]))
        sys.exit()
    try:
        with cluster() as running:
            print(f"export SLURM_CONF={running.conf}", flush=True)
            signal.pause()
    except Absent as reason:
        sys.exit(f"no cluster: {reason}")
    except KeyboardInterrupt:
        pass
