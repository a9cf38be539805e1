"""One connection that speaks the server's protocol, so that it can be broken off at any byte.

psql would do for everything else, but not for a client that vanishes, nor for a cancel whose answer is measured. Unix
sockets, no password, the simple query protocol and COPY FROM STDIN. Values are text, NULL is None.
"""
import select
import socket
import struct
import time


class SqlError(Exception):
    """An ERROR or FATAL of the server."""

    def __init__(self, fields):
        super().__init__('%s: %s' % (fields.get('C'), fields.get('M')))
        self.code, self.message, self.severity = fields.get('C'), fields.get('M'), fields.get('V')
        self.detail, self.hint, self.context = fields.get('D', ''), fields.get('H', ''), fields.get('W', '')


class Lost(Exception):
    """The server is gone, or has closed the connection."""


class Connection:
    def __init__(self, directory, port, user, database, options=''):
        self.address = '%s/.s.PGSQL.%s' % (directory, port)
        self.warnings, self.notices, self.buffer, self.pid, self.key = [], [], b'', None, None
        self.heard = lambda message: None                        # called with each NOTICE, as it arrives
        self.status = None                                       # I: idle, T: in a transaction, E: in one that has failed
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.connect(self.address)
            startup = b''.join(word.encode() + b'\0' for word in (
                'user', user, 'database', database, 'application_name', 'faults', 'options', options))
            self.socket.sendall(struct.pack('!ii', len(startup) + 9, 3 << 16) + startup + b'\0')
            self.receive()
        except (OSError, Lost) as error:
            self.socket.close()
            raise Lost('no connection: %s' % error)

    # What goes out

    def message(self, kind, payload=b''):
        try:
            self.socket.sendall(kind + struct.pack('!i', len(payload) + 4) + payload)
        except OSError as error:
            raise Lost(str(error))

    def send(self, sql):
        """Starts a query; receive() waits for it."""
        self.message(b'Q', sql.encode() + b'\0')

    def query(self, sql):
        """The rows of the last result."""
        self.send(sql)
        return self.receive()

    def value(self, sql):
        """The first column of the only row."""
        rows = self.query(sql)
        assert len(rows) == 1, '%d rows: %s' % (len(rows), sql)
        return rows[0][0]

    def begin_copy(self, sql):
        self.send(sql)
        self.until(b'G')

    def copy_data(self, text):
        self.message(b'd', text.encode())

    def end_copy(self):
        self.message(b'c')
        return self.receive()

    def cancel(self):
        """What Ctrl-C does in psql: the request goes by a connection of its own."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.connect(self.address)
            other.sendall(struct.pack('!iiii', 16, 80877102, self.pid, self.key))
            other.recv(1)

    def vanish(self):
        """Without a word, as when the client's machine is switched off."""
        self.socket.close()

    def close(self):
        try:
            self.message(b'X')
        except Lost:
            pass
        self.socket.close()

    # What comes in

    def answered(self, seconds):
        """Is there anything to read within that time?"""
        return bool(self.buffer) or bool(select.select([self.socket], [], [], seconds)[0])

    def read(self, size):
        while len(self.buffer) < size:
            try:
                data = self.socket.recv(65536)
            except OSError as error:
                raise Lost(str(error))
            if not data:
                raise Lost('the connection was closed')
            self.buffer += data
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def next_message(self):
        kind, length = struct.unpack('!ci', self.read(5))
        return kind, self.read(length - 4)

    def until(self, wanted):
        while True:
            kind, payload = self.next_message()
            if kind == wanted:
                return
            if kind == b'E':
                error = SqlError(fields_of(payload))
                self.receive()
                raise error

    def receive(self):
        """Everything up to the moment when the server is ready again."""
        rows, error = [], None
        while True:
            try:
                kind, payload = self.next_message()
            except Lost:
                if error is not None:
                    raise error                                  # a FATAL one: it says why the connection ends
                raise
            if kind == b'T':
                rows = []
            elif kind == b'D':
                rows.append(row_of(payload))
            elif kind == b'E':
                error = SqlError(fields_of(payload))
            elif kind == b'N':
                notice = fields_of(payload)
                if notice.get('V') == 'WARNING':
                    self.warnings.append(notice.get('M'))
                elif notice.get('V') == 'NOTICE':
                    self.notices.append(notice.get('M'))
                    self.heard(notice.get('M'))
            elif kind == b'K':
                self.pid, self.key = struct.unpack('!ii', payload[:8])
            elif kind == b'Z':
                self.status = payload.decode()
                if error is not None:
                    raise error
                return rows


def fields_of(payload):
    return {part[:1].decode(): part[1:].decode('utf-8', 'replace') for part in payload.split(b'\0') if part}


def row_of(payload):
    values, offset = [], 2
    for _ in range(struct.unpack('!h', payload[:2])[0]):
        size, offset = struct.unpack('!i', payload[offset:offset + 4])[0], offset + 4
        if size < 0:
            values.append(None)
        else:
            values.append(payload[offset:offset + size].decode())
            offset += size
    return tuple(values)


def wait_until(condition, seconds, what):
    """Asks again and again until it is so. A limit that is reached is a failure of the test."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError('not within %d s: %s' % (seconds, what))
        time.sleep(0.02)
