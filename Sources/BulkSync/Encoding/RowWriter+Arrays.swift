// Arrays: of one dimension, and of more where they are rectangular, as the server's are; all indices begin at 1.

/// How far the array that is written has come.
struct ArrayShape {
    /// How many arrays the next value lies in; 0 outside of arrays.
    var depth = 0
    /// The number of elements of the innermost array so far.
    var count = 0
    /// The depth at which there are values, and not arrays; 0 while that is not known.
    var leafDepth = 0
    /// The numbers of elements so far of the arrays around the innermost one.
    var outerCounts: [Int] = []
    /// The number of elements of each array at a depth, from the outermost; nil while none of them has ended.
    var lengths: [Int?] = []

    /// What the server's arrays have at most.
    static let maximalDepth = 6

    mutating func begin() {
        depth = 1
        count = 0
        leafDepth = 0
        // Nearly always they are empty already.
        if !outerCounts.isEmpty { outerCounts.removeAll() }
        if !lengths.isEmpty { lengths.removeAll() }
    }
}

extension RowWriter {
    mutating func beginArray() throws(BulkSyncError) {
        if shape.depth > 0 { return try beginInnerArray() }
        if mode == .probing {
            elementKind = .null
            column += 1
        } else {
            let type = try next()
            if mode == .binary {
                // As text, an array of nested values may still become JSON.
                guard type == .array else { throw type == .text ? askForText(.array, type) : mismatch(.array, type) }
                for _ in 0..<6 { buffer.append(bigEndian: Int32(0)) }
            }
            textElements.removeAll(keepingCapacity: true)
        }
        arrayStart = buffer.count
        shape.begin()
    }

    private mutating func beginInnerArray() throws(BulkSyncError) {
        // Before the column is known it may be of JSON, which has arrays of any form.
        if mode != .probing {
            if shape.leafDepth > 0, shape.depth >= shape.leafDepth { throw ragged() }
            if shape.depth == ArrayShape.maximalDepth {
                throw failure("an array has at most \(ArrayShape.maximalDepth) dimensions")
            }
        }
        if shape.lengths.isEmpty { shape.lengths = [nil] }
        shape.outerCounts.append(shape.count + 1)
        shape.count = 0
        shape.depth += 1
        if shape.lengths.count < shape.depth { shape.lengths.append(nil) }
    }

    /// Notes that values are at the present depth; they must be nowhere else.
    @inline(never)
    mutating func beginLeaves() throws(BulkSyncError) {
        if shape.leafDepth > 0 { throw ragged() }
        shape.leafDepth = shape.depth
        if shape.depth < shape.lengths.count { throw ragged() }
    }

    private mutating func ragged() -> BulkSyncError {
        failure("the arrays in an array must be of one length, and none of them NULL")
    }

    mutating func endArray() throws(BulkSyncError) {
        if shape.depth > 1 { return try endInnerArray() }
        shape.depth = 0
        switch mode {
        case .probing:
            kinds.append(ColumnKind(kind: .array, element: elementKind))
            if !names.isEmpty, column > names.count {
                throw failure("the row has more values than columns", at: names.count)
            }
        case .text:
            let type = types[column - 1].field
            if type.form(of: .array) == .none { throw mismatch(.array, type) }
            try append(text: shape.leafDepth > 1 ? nestedArrayText() : arrayText(textElements))
        case .binary:
            try endBinaryArray()
        }
    }

    private mutating func endInnerArray() throws(BulkSyncError) {
        let index = shape.depth - 1
        if mode != .probing {
            // An array without elements is of the depth that has values: none.
            if shape.leafDepth == 0 { shape.leafDepth = shape.depth }
            if let length = shape.lengths[index], length != shape.count { throw ragged() }
        }
        shape.lengths[index] = shape.count
        shape.count = shape.outerCounts.removeLast()
        shape.depth -= 1
    }

    /// The number of elements in each dimension; none for an array without elements.
    private var dimensions: [Int] {
        let dimensions = [shape.count] + shape.lengths.dropFirst().map { $0 ?? 0 }
        return dimensions.contains(0) ? [] : dimensions
    }

    private mutating func endBinaryArray() throws(BulkSyncError) {
        // One dimension is the rule, and has its place already.
        let dimensions = shape.leafDepth > 1 ? self.dimensions : []
        let count = dimensions.isEmpty && shape.leafDepth <= 1 && shape.count > 0 ? 1 : dimensions.count
        let header = arrayStart - 24
        if count == 0 {
            buffer.truncate(to: header + 16)
        } else if count > 1 {
            buffer.insert(count: 8 * (count - 1), at: arrayStart)
        }
        guard let length = Int32(exactly: buffer.count - header - 4) else {
            throw failure("the value is longer than 2 GiB")
        }
        buffer.overwrite(at: header, bigEndian: length)
        buffer.overwrite(at: header + 4, bigEndian: Int32(count))
        // Whether there are NULLs is for the server to see: it reads the lengths.
        buffer.overwrite(at: header + 8, bigEndian: Int32(0))
        buffer.overwrite(at: header + 12, bigEndian: types[column - 1].elementOID)
        for index in 0..<count {
            let length = dimensions.isEmpty ? shape.count : dimensions[index]
            buffer.overwrite(at: header + 16 + 8 * index, bigEndian: Int32(length))
            buffer.overwrite(at: header + 20 + 8 * index, bigEndian: Int32(1))
        }
    }

    private func nestedArrayText() -> String {
        var level = textElements.map { arrayElementText($0) }
        let dimensions = dimensions
        if dimensions.isEmpty { return "{}" }
        for length in dimensions.reversed() {
            level = stride(from: 0, to: level.count, by: length).map { start in
                "{" + level[start..<start + length].joined(separator: ",") + "}"
            }
        }
        return level[0]
    }

    /// Takes back the array that has just been begun and filled, so that its column can get another value.
    mutating func takeBackArray() {
        shape.depth = 0
        buffer.truncate(to: mode == .binary ? arrayStart - 24 : arrayStart)
        column -= 1
    }
}
