"""One psql that lives as long as the test: runs statements, gives their SQLSTATEs and lines."""
import subprocess
import threading


class Server:
    """One long-lived psql. `run` sends statements and returns [(SQLSTATE, lines)] for each."""

    def __init__(self, database):
        self.database, self.has_ci = database, True
        self.start()

    def start(self):
        self.process = subprocess.Popen(['psql', '-XqAt', '-d', self.database, '-v', 'VERBOSITY=verbose'], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding='utf-8')
        self.serial = 0
        self.run(['SET client_min_messages = error', 'SET synchronous_commit = off', "SET client_encoding = 'UTF8'", "SET timezone = 'UTC'"])

    def restart(self):
        """The same in a new session."""
        self.process.stdin.close()
        self.process.wait()
        self.start()

    def run(self, statements):
        self.serial += 1
        text = []
        for s in statements:
            text.append(s if s.endswith((';', '\\.')) else s + ';')
            text.append('\\echo @@ :SQLSTATE')
        text.append('\\echo @@END %d' % self.serial)
        payload = '\n'.join(text) + '\n'
        writer = threading.Thread(target=self.write, args=(payload,))
        writer.start()
        results, lines = [], []
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise ConnectionError('psql ended:\n' + '\n'.join(lines[-20:]))
            line = line.rstrip('\n')
            if line == '@@END %d' % self.serial:
                break
            if line.startswith('@@ '):
                results.append((line[3:], lines))
                lines = []
            else:
                lines.append(line)
        writer.join()
        return results

    def write(self, payload):
        try:
            self.process.stdin.write(payload)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
