import ConcordCore
import Foundation

/// The place of a process in a group, and where the group meets.
public struct ProcessMembership: Sendable, Hashable {
    /// The address and the port at which the processes meet.
    public let host: String
    public let port: Int
    /// The number of this process, from 0.
    public let rank: Int
    /// The number of processes.
    public let worldSize: Int
    /// The number of this process among those on its machine, from 0.
    public var localRank: Int
    /// The processor cores of this machine that are this process's part, at least 1.
    public var coreCount: Int
    /// Whether the program that started the processes keeps the store at which they meet, as torchrun does; otherwise
    /// rank 0 keeps it.
    var isStoreKept = false
    /// The number of times that the group was started before.
    var restarts = 0

    /// A process of a group on one machine.
    ///
    /// - Throws: `.invalidArgument` for a rank outside the group, or a port that cannot be.
    public init(host: String, port: Int, rank: Int, worldSize: Int) throws(ConcordError) {
        guard worldSize > 0, (0..<worldSize).contains(rank) else {
            throw ConcordError(
                .invalidArgument, "rank \(rank) of a world of \(worldSize) processes; ranks count from 0")
        }
        guard (1...65535).contains(port) else {
            throw ConcordError(.invalidArgument, "port \(port); ports are 1...65535")
        }
        self.host = host
        self.port = port
        self.rank = rank
        self.worldSize = worldSize
        localRank = rank
        coreCount = Self.share(of: worldSize)
    }

    /// A port of this machine that nothing listens on now.
    package static func freePort() throws(ConcordError) -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 ? getsockname(socket, $0, &length) : -1
            }
        }
        guard status == 0 else { throw ConcordError.system("bind", "127.0.0.1") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// The cores of one of so many processes on this machine.
    private static func share(of processes: Int) -> Int {
        max(1, ProcessInfo.processInfo.activeProcessorCount / max(1, processes))
    }
}

extension ProcessMembership {
    /// The place that the environment names; nil where it names none.
    ///
    /// torchrun, Kubernetes and people set `MASTER_ADDR`, `MASTER_PORT`, `RANK` and `WORLD_SIZE`, and `LOCAL_RANK` and
    /// `LOCAL_WORLD_SIZE` where a machine has several processes. Where none of the first four is set, the variables of a
    /// Slurm step of several tasks count (`srun`): the first node of the step is the meeting place.
    ///
    /// - Throws: `.invalidConfiguration` naming a variable that is missing or makes no sense.
    public static func fromEnvironment(
        _ variables: [String: String] = ProcessInfo.processInfo.environment
    ) throws(ConcordError) -> ProcessMembership? {
        let environment = Environment(variables: variables)
        if Environment.required.contains(where: { variables[$0] != nil }) { return try environment.membership() }
        return try environment.slurmMembership()
    }
}

/// The variables by which programs that start processes tell each its place.
private struct Environment {
    static let required = ["MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE"]

    let variables: [String: String]

    func membership() throws(ConcordError) -> ProcessMembership {
        // First what says which process this is.
        let rank = try number("RANK"), worldSize = try number("WORLD_SIZE")
        var membership = try make(
            host: try text("MASTER_ADDR"), port: try number("MASTER_PORT"), rank: ("RANK", rank),
            worldSize: ("WORLD_SIZE", worldSize))
        let isLoopback = membership.host == "localhost" || membership.host.hasPrefix("127.")
        let local = try optional("LOCAL_WORLD_SIZE") ?? (isLoopback ? worldSize : 1)
        guard (1...worldSize).contains(local) else {
            throw ConcordError(
                .invalidConfiguration,
                "LOCAL_WORLD_SIZE is \(local); with WORLD_SIZE \(worldSize) it must be in 1...\(worldSize)")
        }
        membership.localRank = try optional("LOCAL_RANK") ?? (isLoopback ? rank : rank % local)
        guard (0..<worldSize).contains(membership.localRank) else {
            throw ConcordError(
                .invalidConfiguration,
                "LOCAL_RANK is \(membership.localRank); with WORLD_SIZE \(worldSize) it must be in 0...\(worldSize - 1)"
            )
        }
        membership.coreCount = max(1, ProcessInfo.processInfo.activeProcessorCount / local)
        membership.isStoreKept = variables["TORCHELASTIC_USE_AGENT_STORE"] == "True"
        membership.restarts = try optional("TORCHELASTIC_RESTART_COUNT") ?? 0
        return membership
    }

    /// The place in a Slurm step. A batch script without `srun` has the first two variables, too, but is no step.
    func slurmMembership() throws(ConcordError) -> ProcessMembership? {
        guard variables["SLURM_PROCID"] != nil, let nodes = variables["SLURM_STEP_NODELIST"] else { return nil }
        let sizeName = variables["SLURM_STEP_NUM_TASKS"] != nil ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS"
        let worldSize = try number(sizeName)
        guard worldSize > 1 else { return nil }
        // Steps of other jobs on the same nodes meet elsewhere.
        let job = (try optional("SLURM_JOB_ID") ?? 0) * 31 + (try optional("SLURM_STEP_ID") ?? 0)
        var membership = try make(
            host: variables["MASTER_ADDR"] ?? Self.firstNode(nodes),
            port: try optional("MASTER_PORT") ?? 20_000 + job % 10_000,
            rank: ("SLURM_PROCID", try number("SLURM_PROCID")), worldSize: (sizeName, worldSize))
        membership.localRank = try optional("SLURM_LOCALID") ?? 0
        // Without a word Slurm gives a task one core.
        membership.coreCount = max(1, try optional("SLURM_CPUS_PER_TASK") ?? 1)
        membership.restarts = try optional("SLURM_RESTART_COUNT") ?? 0
        return membership
    }

    private func make(
        host: String, port: Int, rank: (name: String, value: Int), worldSize: (name: String, value: Int)
    ) throws(ConcordError) -> ProcessMembership {
        guard worldSize.value > 0 else {
            throw ConcordError(.invalidConfiguration, "\(worldSize.name) is \(worldSize.value); it must be 1 or more")
        }
        guard (0..<worldSize.value).contains(rank.value) else {
            throw ConcordError(
                .invalidConfiguration,
                "\(rank.name) is \(rank.value); with \(worldSize.name) \(worldSize.value) it must be in "
                    + "0...\(worldSize.value - 1)")
        }
        guard (1...65535).contains(port) else {
            throw ConcordError(.invalidConfiguration, "MASTER_PORT is \(port); it must be in 1...65535")
        }
        return try ProcessMembership(host: host, port: port, rank: rank.value, worldSize: worldSize.value)
    }

    private func text(_ name: String) throws(ConcordError) -> String {
        guard let value = variables[name], !value.isEmpty else {
            let set = Self.required.filter { variables[$0]?.isEmpty == false }.joined(separator: ", ")
            throw ConcordError(
                .invalidConfiguration,
                "\(name) is not set, but \(set) \(set.contains(",") ? "are" : "is"); a process of a group needs "
                    + "\(Self.required.joined(separator: ", ")), and a process on its own none of them")
        }
        return value
    }

    private func number(_ name: String) throws(ConcordError) -> Int {
        let value = try text(name)
        guard let number = Int(value) else {
            throw ConcordError(.invalidConfiguration, "\(name) is \"\(value)\"; it must be a whole number")
        }
        return number
    }

    private func optional(_ name: String) throws(ConcordError) -> Int? {
        variables[name]?.isEmpty == false ? try number(name) : nil
    }

    /// The first name of a list such as `node[03-07,9],gpu1`.
    private static func firstNode(_ list: String) -> String {
        guard let bracket = list.firstIndex(of: "["), !list[..<bracket].contains(",") else {
            return String(list.prefix { $0 != "," })
        }
        let inside = list[bracket...].dropFirst()
        let number = inside.prefix { $0 != "-" && $0 != "," && $0 != "]" }
        let suffix = inside.drop { $0 != "]" }.dropFirst().prefix { $0 != "," }
        return String(list[..<bracket] + number + suffix)
    }
}
