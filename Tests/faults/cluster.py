"""How is the throw-away cluster crashed, stopped and started again? Made by support/lib.sh; found in the environment."""
import os
import re
import shutil
import signal
import subprocess

from client import Connection, Lost, SqlError, wait_until

# 57P03: the server is starting up or recovering
NOT_YET = ('57P03', '57P01', '57P02')


class Cluster:
    def __init__(self, data=None, directory=None):
        self.data = data or os.environ['SERVER_DATA']
        self.directory = directory or os.environ['PGHOST']
        self.port, self.user = os.environ['PGPORT'], os.environ['PGUSER']
        self.bin = os.path.dirname(os.environ['PG_CONFIG'])
        self.log = os.path.join(os.path.dirname(self.data), 'log')
        self.owner = os.stat(self.data)
        with open(os.path.join(self.data, 'PG_VERSION')) as file:
            self.version = int(file.read())

    # Programs of the server

    def run(self, program, *arguments, check=True):
        """A program of the installation, or else of the machine, as the user whose server it is."""
        identity = {}
        if os.getuid() == 0:
            identity = {'user': self.owner.st_uid, 'group': self.owner.st_gid, 'extra_groups': []}
        own = os.path.join(self.bin, program)
        done = subprocess.run([own if os.path.exists(own) else program, *arguments], stdin=subprocess.DEVNULL, cwd='/',
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **identity)
        if check and done.returncode != 0:
            raise AssertionError('%s failed:\n%s' % (program, done.stdout))
        return done

    def start(self):
        # A postmaster that was killed leaves a shared memory block, which must be free before the next one starts.
        arguments = ['--pgdata=' + self.data, '--log=' + self.log, '--silent', '--wait', '--timeout=60', 'start']
        wait_until(lambda: self.run('pg_ctl', *arguments, check=False).returncode == 0, 60, 'the server starts')

    def stop(self, mode):
        self.run('pg_ctl', '--pgdata=' + self.data, '--silent', '--wait', '--mode=' + mode, 'stop')

    def clone(self, name, waldir=None):
        """A copy of the running cluster, not started. Its data lies beside the original's."""
        directory = os.path.join(os.path.dirname(self.data), name)
        arguments = ['--pgdata=' + os.path.join(directory, 'data'), '--host=' + self.directory, '--port=' + self.port,
                     '--username=' + self.user, '--no-sync', '--checkpoint=fast']
        if waldir:
            arguments.append('--waldir=' + waldir)
        self.run('mkdir', directory)
        self.run('pg_basebackup', *arguments)
        copy = Cluster(os.path.join(directory, 'data'), directory)
        copy.add_settings(unix_socket_directories=directory)
        return copy

    def copied(self, name):
        """A copy of a cluster that does not run."""
        directory = os.path.join(os.path.dirname(os.path.dirname(self.data)), name)
        self.run('mkdir', directory)
        self.run('cp', '-a', self.data, directory)
        copy = Cluster(os.path.join(directory, 'data'), directory)
        copy.add_settings(unix_socket_directories=directory)
        return copy

    def destroy(self):
        """Of a clone."""
        self.run('pg_ctl', '--pgdata=' + self.data, '--silent', '--wait', '--mode=immediate', 'stop', check=False)
        shutil.rmtree(os.path.dirname(self.data))

    def is_running(self):
        return self.run('pg_ctl', '--pgdata=' + self.data, 'status', check=False).returncode == 0

    def add_settings(self, **settings):
        with open(os.path.join(self.data, 'postgresql.conf'), 'a') as file:
            for name, value in settings.items():
                file.write("%s = '%s'\n" % (name, value))

    # Crashes

    def postmaster(self):
        with open(os.path.join(self.data, 'postmaster.pid')) as file:
            return int(file.readline())

    def kill_backend(self, pid):
        """The postmaster then ends all others and starts again by itself."""
        kill(pid)

    def kill_postmaster(self):
        """The others notice, sooner or later; nothing is started before they are gone."""
        postmaster = self.postmaster()
        children = children_of(postmaster)
        kill(postmaster)
        wait_until(lambda: not any(map(alive, children + [postmaster])), 60, 'the backends end after their postmaster')

    def kill_everything(self):
        """As a power cut would, but for what the operating system still holds."""
        postmaster = self.postmaster()
        processes = [postmaster] + children_of(postmaster)
        kill(postmaster)
        for pid in processes[1:] + children_of(postmaster):
            kill(pid)
        wait_until(lambda: not any(map(alive, processes)), 60, 'killed processes are gone')

    def wait_until_up(self):
        """Until the server answers, after it restarted by itself."""
        def answers():
            try:
                self.connect('postgres').close()
                return True
            except Lost:
                return False
            except SqlError as error:
                if error.code not in NOT_YET:
                    raise
                return False
        wait_until(answers, 60, 'the server is up again')

    # Connections

    def connect(self, database, options=''):
        return Connection(self.directory, self.port, self.user, database, options)

    def create_database(self, name):
        connection = self.connect('postgres')
        connection.query('drop database if exists %s with (force)' % name)
        connection.query('create database %s template template0' % name)
        connection.close()
        connection = self.connect(name)
        connection.query('create extension bulk_sync')
        connection.close()

    def drop_database(self, name):
        connection = self.connect('postgres')
        connection.query('drop database if exists %s with (force)' % name)
        connection.close()

    def server_has(self, extension):
        connection = self.connect('postgres')
        found = connection.value("select count(*) from pg_available_extensions where name = '%s'" % extension)
        connection.close()
        return found == '1'

    def limit_memory(self, pid, kilobytes):
        """The address space that one backend may have; None: any. The soft limit alone, which can be taken back."""
        limit = 'unlimited' if kilobytes is None else str(kilobytes * 1024)
        self.run('prlimit', '--pid', str(pid), '--as=%s:' % limit)

    # What is left behind

    def temporary_files(self):
        """The temporary files there are, of any tablespace."""
        found = []
        for directory, _, files in os.walk(self.data, followlinks=True):
            if os.path.basename(directory).startswith('pgsql_tmp'):
                found += [os.path.join(directory, name) for name in files]
        return found

    def log_position(self):
        return os.path.getsize(self.log)

    def log_since(self, position):
        with open(self.log, errors='replace') as file:
            file.seek(position)
            return file.read()


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def alive(pid):
    """A zombie is none that could still write."""
    try:
        with open('/proc/%d/stat' % pid) as file:
            return file.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


def children_of(parent):
    children = []
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                with open('/proc/%s/stat' % name) as file:
                    if int(file.read().rsplit(')', 1)[1].split()[1]) == parent:
                        children.append(int(name))
            except OSError:
                pass
    return children


def memory_of(pid):
    """Kilobytes by name, of /proc/PID/status."""
    with open('/proc/%d/status' % pid) as file:
        return {name: int(size) for name, size in re.findall(r'^(Vm\w+|Rss\w+):\s+(\d+) kB', file.read(), re.M)}


# These are bugs whatever else happens. A backend that was killed by us is none.
SUSPICIOUS = re.compile(r'PANIC:|TRAP:|XX\d\d\d|WARNING:.*leak|terminated by signal (?!9\b)|not closed')


def suspicious_lines(text, allowed=None):
    return [line for line in text.splitlines()
            if SUSPICIOUS.search(line) and not (allowed and re.search(allowed, line))]
