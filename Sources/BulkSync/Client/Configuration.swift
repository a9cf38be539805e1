public import Logging

extension BulkSyncClient {
    /// How to connect, and how the client works on that connection.
    ///
    /// What is not set is found by libpq, as `psql` finds it: in the environment (`PGHOST`, `PGUSER` …), the service file,
    /// the password file.
    ///
    /// ```swift
    /// var configuration = BulkSyncClient.Configuration()
    /// configuration.host = "db.example.com"
    /// configuration.database = "hr"
    /// configuration.sslMode = .verifyFull
    /// configuration.keyStrategy = .snakeCase
    /// let client = try await BulkSyncClient.connect(configuration)
    /// ```
    ///
    /// The description shows neither the password nor any other secret.
    public struct Configuration: Sendable {
        /// Whether the connection is encrypted, and what of the server's certificate is verified: libpq's `sslmode`.
        public struct SSLMode: RawRepresentable, Hashable, Sendable {
            /// The word of libpq.
            public let rawValue: String

            /// Makes a mode from the word of libpq.
            public init(rawValue: String) {
                self.rawValue = rawValue
            }

            /// No encryption.
            public static let disable = Self(rawValue: "disable")
            /// Encryption if the server insists.
            public static let allow = Self(rawValue: "allow")
            /// Encryption if the server can; libpq's default.
            ///
            /// It protects against nobody who can stand in for the server.
            public static let prefer = Self(rawValue: "prefer")
            /// Encryption, without verification unless there is a root certificate.
            public static let require = Self(rawValue: "require")
            /// Encryption, and the certificate is signed by a trusted authority.
            public static let verifyCA = Self(rawValue: "verify-ca")
            /// Encryption, and the certificate is that of the host that was asked for.
            ///
            /// Use this one over a network.
            public static let verifyFull = Self(rawValue: "verify-full")
        }

        /// A connection string of libpq, `host=… dbname=…` or `postgresql://…`, that the other properties override.
        public var connectionString: String

        /// The host name, or the directory of the Unix socket.
        public var host: String?

        /// The port; 5432 unless given.
        public var port: Int?

        /// The role to connect as.
        public var user: String?

        /// The password.
        public var password: String?

        /// The name of the database.
        public var database: String?

        /// Command-line options for the server's session: `-c lock_timeout=5s`.
        public var options: String?

        /// Whether the connection is encrypted.
        public var sslMode: SSLMode?

        /// How long connecting may take in all, in whole seconds, at least 2.
        ///
        /// There is no limit unless one is given here or as `connect_timeout`. The look-up of a host name is not
        /// covered.
        public var connectTimeout: Duration?

        /// The name that the server shows for the session, `bulk-sync` unless given here or by `PGAPPNAME`.
        public var applicationName: String?

        /// Other parameters of libpq, by their keywords: `["sslrootcert": "system"]`.
        public var parameters: [String: String]

        /// How the properties of a `Codable` row become names of columns.
        public var keyStrategy: KeyStrategy

        /// How long a cancelled operation waits for the server before the connection is closed.
        public var cancellationGracePeriod: Duration

        /// Where the client logs what it does, without values of rows.
        ///
        /// Nothing is logged unless there is one.
        public var logger: Logger?

        /// Makes a configuration.
        ///
        /// - Parameter connectionString: A connection string of libpq that the properties override.
        public init(_ connectionString: String = "") {
            self.connectionString = connectionString
            parameters = [:]
            keyStrategy = .propertyNames
            cancellationGracePeriod = .seconds(5)
        }
    }
}

extension BulkSyncClient.Configuration {
    /// The parameters for libpq.
    ///
    /// A later keyword overrides an earlier one, and a connection string stands in `dbname`.
    ///
    /// - Parameter environmentHasName: Whether the environment names the application.
    /// - Returns: Keywords and values, a later one overriding an earlier one.
    /// - Throws: ``BulkSyncError`` if the connection string is malformed.
    func libpqParameters(environmentHasName: Bool) throws(BulkSyncError) -> [(keyword: String, value: String)] {
        try ConnectionString.check(connectionString)
        var result: [(keyword: String, value: String)] = []
        if !environmentHasName { result.append(("fallback_application_name", "bulk-sync")) }
        if !connectionString.isEmpty { result.append(("dbname", connectionString)) }
        let own: [(String, String?)] = [
            ("host", host), ("port", port.map { String($0) }), ("user", user), ("password", password),
            ("dbname", database.map(ConnectionString.databaseName)), ("options", options),
            ("sslmode", sslMode?.rawValue),
            ("connect_timeout", connectTimeout.map { String(max(2, $0.components.seconds)) }),
            ("application_name", applicationName),
        ]
        for (keyword, value) in own {
            if let value { result.append((keyword, value)) }
        }
        for (keyword, value) in parameters.sorted(by: { $0.key < $1.key }) {
            result.append((keyword, value))
        }
        // Rows are written, and errors are read, as UTF-8 whatever the environment says.
        result.append(("client_encoding", "UTF8"))
        return result
    }
}

extension BulkSyncClient.Configuration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The parameters that are no secrets: `host=db.example.com dbname=hr user=loader`.
    public var description: String {
        var shown = ConnectionString.publicParameters(connectionString)
        let own: [(String, String?)] = [
            ("host", host), ("port", port.map { String($0) }), ("user", user), ("dbname", database),
            ("sslmode", sslMode?.rawValue), ("application_name", applicationName),
        ]
        for (keyword, value) in own {
            guard let value else { continue }
            shown.removeAll { $0.keyword == keyword }
            shown.append((keyword, value))
        }
        return shown.map { "\($0.keyword)=\($0.value)" }.joined(separator: " ")
    }

    /// The same as ``description``.
    public var debugDescription: String {
        description
    }

    /// Shows what ``description`` shows, so that `dump` gives no secret away.
    public var customMirror: Mirror {
        Mirror(self, children: ["description": description])
    }
}
