#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension BulkSyncError.Code {
    /// `22P04`: a file is not written as its format demands.
    public static let malformedFile: Self = "22P04"

    /// `22021`: bytes of a file are no characters in UTF-8.
    public static let invalidEncoding: Self = "22021"

    /// `42701`: a column is named twice.
    public static let duplicateColumn: Self = "42701"

    /// `58P01`: there is no such file.
    public static let undefinedFile: Self = "58P01"

    /// `58030`: a file cannot be opened or read.
    public static let unreadableFile: Self = "58030"
}

extension BulkSyncError {
    /// An error with what to do about it.
    init(code: Code, _ message: String, hint: String?) {
        self.init(code: code, message: message)
        self.hint = hint
    }

    /// A file that cannot be opened or read.
    static func unreadable(_ name: String, errno code: CInt) -> Self {
        let reason = strerror(code).map { String(cString: $0) } ?? "error \(code)"
        return Self(code: code == ENOENT ? .undefinedFile : .unreadableFile, message: "cannot read \(name): \(reason)")
    }
}
