import BulkSync
import Foundation
import Synchronization

/// Prints changes as they come, and counts them.
final class ChangePrinter: Sendable {
    enum Style {
        case text
        case json
        case none
    }

    private struct State {
        var counts: [String: Int] = [:]
        var pending = Data()
    }

    private let style: Style
    private let state = Mutex(State())

    init(style: Style) {
        self.style = style
    }

    /// Whether there was anything but unchanged rows.
    var hasDifferences: Bool {
        state.withLock { $0.counts.contains { $0.key != "unchanged" } }
    }

    /// Prints a change; a few of them at a time.
    func print(_ change: ChangeRecord) throws {
        try state.withLock { state in
            state.counts[change.action, default: 0] += 1
            switch style {
            case .none: return
            case .json: state.pending.append(contentsOf: "\(json(change))\n".utf8)
            case .text: state.pending.append(contentsOf: "\(text(change))\n".utf8)
            }
            if state.pending.count >= 1 << 16 { try flush(&state) }
        }
    }

    /// Prints what is left, and the counts.
    func finish() throws {
        try state.withLock { state in
            if style == .text {
                let counts = [("insert", "to insert"), ("update", "to update"), ("delete", "to delete")].map {
                    "\(state.counts[$0.0] ?? 0) \($0.1)"
                }
                let unchanged = state.counts["unchanged"].map { ["\($0) unchanged"] } ?? []
                state.pending.append(contentsOf: "\((counts + unchanged).joined(separator: ", "))\n".utf8)
            }
            try flush(&state)
        }
    }

    private func flush(_ state: inout State) throws {
        if state.pending.isEmpty { return }
        try printOutput(state.pending, outcome: "nothing was changed")
        state.pending.removeAll(keepingCapacity: true)
    }

    /// The texts of the server are JSON, so that only the braces around them are missing.
    private func json(_ change: ChangeRecord) -> String {
        """
        {"action":"\(change.action)","staged_row":\(change.stagedRow.map { String($0) } ?? "null"),"key":\(change.key),\
        "changed_columns":\(change.changedColumns ?? "null"),"old":\(change.old ?? "null"),"new":\(change.new ?? "null")}
        """
    }

    private func text(_ change: ChangeRecord) -> String {
        let key = jsonMembers(change.key)
        let old = change.old.map(jsonMembers) ?? []
        let new = change.new.map(jsonMembers) ?? []
        let keyNames = Set(key.map(\.name))
        var details: [String] = []
        let sign: String
        switch change.action {
        case "insert":
            sign = "+"
            details = new.filter { !keyNames.contains($0.name) }.map { "\($0.name): \($0.value)" }
        case "delete":
            sign = "-"
            details = old.filter { !keyNames.contains($0.name) }.map { "\($0.name): \($0.value)" }
        case "update":
            sign = "~"
            let before = Dictionary(old.map { ($0.name, $0.value) }) { first, _ in first }
            let changed = change.changedColumns.map { Set(jsonStrings($0)) } ?? []
            details = new.filter { changed.contains($0.name) }.map {
                "\($0.name): \(before[$0.name] ?? "?") → \($0.value)"
            }
        default:
            sign = "="
        }
        let name = key.map { "\($0.name): \($0.value)" }.joined(separator: ", ")
        return details.isEmpty ? "\(sign) \(name)" : "\(sign) \(name) | \(details.joined(separator: ", "))"
    }

    private func jsonStrings(_ text: String) -> [String] {
        (try? JSONDecoder().decode([String].self, from: Data(text.utf8))) ?? []
    }
}
