import ArgumentParser
import Foundation

/// Refuses an option that is given twice and has room for one value.
///
/// The parser would take the last one, and silently forget a limit or a condition that was stated before it. Which options
/// have room for more, the parser knows: they are those with an array for a property.
///
/// - Parameters:
///   - arguments: The words of the command line behind the program's name, which the parser has accepted.
///   - command: The command that it made of them.
/// - Throws: An error of usage that names the option.
func refuseRepeatedOptions(_ arguments: some Sequence<String>, of command: some ParsableCommand) throws {
    let single = try singleOptions(of: type(of: command))
    var seen: Set<Substring> = []
    // No value of its own word begins with a dash, but for "-" itself, and behind "--" there are no options.
    for argument in arguments.prefix(while: { $0 != "--" }) where argument.hasPrefix("--") {
        let name = argument.prefix { $0 != "=" }
        if single.contains(name), !seen.insert(name).inserted {
            throw ValidationError("\(name) is given more than once.")
        }
    }
}

/// The options of a command that take one value, with their dashes.
private func singleOptions(of command: (some ParsableCommand).Type) throws -> Set<Substring> {
    let description = try JSONDecoder().decode(Description.self, from: Data(command._dumpHelp().utf8))
    let options = description.command.arguments?.filter { $0.kind == "option" && !$0.isRepeating } ?? []
    return Set(options.flatMap { $0.names ?? [] }.map { "--\($0.name)" })
}

/// What the parser tells of a command to programs, as far as it matters here.
private struct Description: Decodable {
    struct Command: Decodable {
        var arguments: [Argument]?
    }

    struct Argument: Decodable {
        struct Name: Decodable {
            var name: String
        }

        var kind: String
        var isRepeating: Bool
        var names: [Name]?
    }

    var command: Command
}
