import ConcordCore
import Foundation
import Synchronization

/// A program of the system, run with arguments for what it writes to its standard output.
struct ExternalProgram: Sendable {
    private let name: String
    private let path: String
    private let limits: Limits

    /// What one process may take.
    struct Limits: Sendable {
        var seconds = 30.0
        /// Bytes of output: ten minutes of sound at 22,050 Hz.
        var bytes = 32 << 20
    }

    /// Finds the program in the folders that commands are looked for in.
    ///
    /// - Parameters:
    ///   - name: the program's, and that of its package.
    ///   - purpose: what it does, for the error.
    /// - Throws: `.unavailable` with the package to install.
    init(
        _ name: String, purpose: String, folders: [String] = searchFolders, limits: Limits = .init()
    ) throws(ConcordError) {
        self.name = name
        self.limits = limits
        guard let path = folders.map({ $0 + "/" + name }).first(where: { access($0, X_OK) == 0 }) else {
            throw ConcordError(
                .unavailable,
                "there is no program \(name), which \(purpose); install it with `apt-get install \(name)` (macOS: `brew "
                    + "install \(name)`)")
        }
        self.path = path
    }

    /// The folders that `PATH` names.
    static var searchFolders: [String] {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map(String.init)
    }

    /// Runs the program to its end.
    ///
    /// - Returns: what it wrote to its standard output.
    /// - Throws: `.unavailable` for a program that fails, does not end in time or writes too much.
    func output(_ arguments: [String]) throws(ConcordError) -> [UInt8] {
        let child = try start(arguments)
        defer {
            close(child.output)
            close(child.errors)
        }
        var output = [UInt8](), errors = [UInt8]()
        let isComplete = collect(child, &output, &errors)
        if !isComplete { kill(child.process, SIGKILL) }
        var status: Int32 = 0
        while waitpid(child.process, &status, 0) < 0, errno == EINTR {}
        guard isComplete else {
            throw problem(
                arguments,
                output.count > limits.bytes
                    ? "wrote more than \(limits.bytes) bytes"
                    : "did not end within \(NumberText.significant(limits.seconds)) s")
        }
        guard status == 0 else {
            let message = String(decoding: errors.prefix(500), as: UTF8.self).trimmed
            throw problem(arguments, "failed" + (message.isEmpty ? "" : " (\(message))"))
        }
        return output
    }

    /// The error for a run that brought nothing.
    func problem(_ arguments: [String], _ text: String) -> ConcordError {
        ConcordError(
            .unavailable,
            "`\(([name] + arguments).joined(separator: " "))` \(text); try the command, and reinstall the package \(name)"
        )
    }

    private struct Child {
        let process: pid_t
        let output, errors: Int32
    }

    /// Processes start one at a time: one would inherit the pipes of another that is just being started, and keep them
    /// open.
    private static let starting = Mutex(())

    private func start(_ arguments: [String]) throws(ConcordError) -> Child {
        let result: Result<Child, ConcordError> = Self.starting.withLock { _ in
            var output: [Int32] = [-1, -1], errors: [Int32] = [-1, -1]
            guard pipe(&output) == 0 else { return .failure(.system("open a pipe to", path)) }
            guard pipe(&errors) == 0 else {
                output.forEach { close($0) }
                return .failure(.system("open a pipe to", path))
            }
            for end in output + errors { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            #if canImport(Darwin)
                var actions: posix_spawn_file_actions_t?
            #else
                var actions = posix_spawn_file_actions_t()
            #endif
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_adddup2(&actions, output[1], 1)
            posix_spawn_file_actions_adddup2(&actions, errors[1], 2)
            var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
            var variables = ProcessInfo.processInfo.environment.map { strdup("\($0)=\($1)") } + [nil]
            defer { for text in words + variables { free(text) } }
            var process = pid_t()
            let number = posix_spawn(&process, path, &actions, nil, &words, &variables)
            close(output[1])
            close(errors[1])
            guard number == 0 else {
                close(output[0])
                close(errors[0])
                errno = number
                return .failure(.system("run", path))
            }
            return .success(Child(process: process, output: output[0], errors: errors[0]))
        }
        return try result.get()
    }

    /// Reads both pipes to their ends.
    ///
    /// - Returns: false when that takes too long, or there is too much.
    private func collect(_ child: Child, _ output: inout [UInt8], _ errors: inout [UInt8]) -> Bool {
        let end = ContinuousClock.now + .seconds(limits.seconds)
        var open = [child.output, child.errors]
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while !open.isEmpty {
            let left = (end - ContinuousClock.now) / .milliseconds(1)
            guard left > 0 else { return false }
            var waiting = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&waiting, nfds_t(waiting.count), Int32(min(left.rounded(.up), 1000))) >= 0 || errno == EINTR
            else { return false }
            for pipe in waiting where pipe.revents != 0 {
                let count = read(pipe.fd, &part, part.count)
                if count < 0 && errno == EINTR { continue }
                if count <= 0 {
                    open.removeAll { $0 == pipe.fd }
                } else if pipe.fd == child.output {
                    output += part[..<count]
                } else {
                    errors += part[..<count]
                }
            }
            guard output.count <= limits.bytes, errors.count <= limits.bytes else { return false }
        }
        return true
    }
}
