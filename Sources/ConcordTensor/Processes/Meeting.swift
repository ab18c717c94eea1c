import ConcordCore
import Foundation

/// The start of a group: each process takes its number in the store that one of them keeps, and waits for the others.
enum Meeting {
    /// Waits until all processes have come.
    ///
    /// - Returns: the store.
    /// - Throws: `.processGroup` on every process when two claim one rank or their world sizes differ; when some do not
    ///   come within `timeout` seconds, naming them; for a port in use.
    static func hold(_ place: ProcessMembership, timeout: Double) throws(ConcordError) -> SharedStore {
        let deadline = ContinuousClock.now + .seconds(timeout)
        let store = try open(place, timeout: timeout)
        do {
            try takeNumber(store, place)
            try waitForAll(store, place, until: deadline, timeout)
        } catch {
            // The others read it before it goes.
            if place.keepsStore { Thread.sleep(forTimeInterval: min(1, timeout)) }
            throw error
        }
        return store
    }

    /// The store of the group, by another connection when it is there already.
    static func open(
        _ place: ProcessMembership, again: Bool = false, timeout: Double
    ) throws(ConcordError) -> SharedStore {
        do {
            return try SharedStore(
                host: place.host, port: UInt16(place.port), isServer: place.keepsStore && !again,
                prefix: "concord/\(place.restarts)", timeout: timeout)
        } catch {
            let isInUse = error.message.contains("EADDRINUSE") || error.message.contains("in use")
            guard place.keepsStore, isInUse else {
                throw ConcordError(
                    .processGroup,
                    "rank \(place.rank) did not meet the \(place.worldSize - 1) others at \(place.address) within "
                        + "\(timeout) s; start all ranks with the same MASTER_ADDR, MASTER_PORT and WORLD_SIZE: "
                        + error.message)
            }
            throw ConcordError(
                .processGroup,
                "rank 0 cannot listen at \(place.address): the port is in use, by another program or by another "
                    + "process of rank 0; choose another MASTER_PORT, or give each process its own RANK")
        }
    }

    private static func takeNumber(_ store: SharedStore, _ place: ProcessMembership) throws(ConcordError) {
        let worldSize = try store.exchange("world", from: "", to: "\(place.worldSize)")
        if worldSize != "\(place.worldSize)" {
            try refuse(
                store,
                "rank \(place.rank) has WORLD_SIZE \(place.worldSize), another process has \(worldSize); give all the same"
            )
        }
        if try store.add("claims/\(place.rank)", 1) > 1 {
            try refuse(
                store, "two processes have RANK \(place.rank); give each of the \(place.worldSize) its own, from 0")
        }
        try store.set(Heartbeat.key(of: place.rank), "0")
        if place.rank == 0 { try store.set(Heartbeat.verdictKey, Heartbeat.noVerdict) }
    }

    /// Tells all processes why the group cannot be.
    private static func refuse(_ store: SharedStore, _ reason: String) throws(ConcordError) {
        throw ConcordError(.processGroup, try store.exchange("refusal", from: "", to: reason))
    }

    private static func waitForAll(
        _ store: SharedStore, _ place: ProcessMembership, until deadline: ContinuousClock.Instant, _ timeout: Double
    ) throws(ConcordError) {
        var missing = Array(0..<place.worldSize), pause = 0.002
        while true {
            if try store.has("refusal") {
                throw ConcordError(.processGroup, try store.texts(of: ["refusal"])[0])
            }
            var late: [Int] = []
            for rank in missing where try !store.has(Heartbeat.key(of: rank)) { late.append(rank) }
            missing = late
            if missing.isEmpty, try store.has(Heartbeat.verdictKey) { return }
            guard ContinuousClock.now < deadline else {
                let names = missing.map(String.init).joined(separator: ", ")
                throw ConcordError(
                    .processGroup,
                    "rank\(missing.count == 1 ? "" : "s") \(names) of \(place.worldSize) did not come to "
                        + "\(place.address) within \(timeout) s; start all ranks with the same MASTER_ADDR, MASTER_PORT "
                        + "and WORLD_SIZE")
            }
            Thread.sleep(forTimeInterval: pause)
            pause = min(0.1, pause * 2)
        }
    }
}

extension ProcessMembership {
    /// Whether this process keeps the store.
    var keepsStore: Bool { rank == 0 && !isStoreKept }
    /// Host and port for messages.
    var address: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
}
