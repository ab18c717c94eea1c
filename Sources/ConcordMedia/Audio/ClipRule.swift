import ConcordCore

/// The part of a sound that a model hears, and what it hears where the sound is shorter.
public enum ClipRule: Sendable, Hashable {
    /// All of it, however long.
    case whole
    /// So many samples.
    case samples(Int, short: ShortRule, long: LongRule)
    /// So many frames from the first on; frames of zeros follow those of a shorter sound, before they are normalized (AST).
    case frames(Int)

    /// How a shorter sound is filled up.
    public enum ShortRule: String, Sendable, Hashable, CaseIterable {
        /// As often as it fits as a whole, then silence (CLAP).
        case repeatPad = "repeatpad"
        /// Again and again, the last time in part.
        case `repeat`
        /// Silence.
        case pad
    }

    /// What is taken of a longer sound.
    public enum LongRule: String, Sendable, Hashable, CaseIterable {
        /// Its start.
        case start
        /// A part that the sample's number and the epoch choose.
        case crop
        /// Four pictures: all of it, shrunk to the length, and a part of that length from each third, which the sample's
        /// number and the epoch choose (fused CLAP). A sound that is not longer is there four times.
        case thirds
    }

    /// Throws `.invalidConfiguration` for a length that is none.
    func validate() throws(ConcordError) {
        switch self {
        case .whole: return
        case .samples(let count, _, _), .frames(let count):
            guard (1...(1 << 30)).contains(count) else {
                throw ConcordError(
                    .invalidConfiguration, "the clip rule keeps \(count) samples or frames; write a number above 0")
            }
        }
    }

    /// Channels of the result.
    var channels: Int {
        if case .samples(_, _, .thirds) = self { 4 } else { 1 }
    }
}

extension ClipRule.ShortRule {
    /// Fills `target` up to `count` samples with the samples of a sound that is no longer. Returns how many are not
    /// silence that was added.
    func fill(_ target: UnsafeMutablePointer<Float>, count: Int, from sound: UnsafeBufferPointer<Float>) -> Int {
        guard let source = sound.baseAddress else { return 0 }
        let filled =
            switch self {
            case .pad: sound.count
            case .repeatPad: count / sound.count * sound.count
            case .repeat: count
            }
        for start in stride(from: 0, to: filled, by: sound.count) {
            (target + start).update(from: source, count: min(sound.count, filled - start))
        }
        (target + filled).update(repeating: 0, count: count - filled)
        return filled
    }
}

/// Draws what part of a sound is taken: the same for the same sample and epoch, whatever else is in the batch.
struct ClipChoice {
    private var random: RandomSource

    init(sampleID: Int, epoch: Int) {
        random = RandomSource(
            seed: 0x636C_6970, stream: UInt64(bitPattern: Int64(epoch)), UInt64(bitPattern: Int64(sampleID)))
    }

    /// The start of a part that may begin at `0...last`.
    mutating func start(last: Int) -> Int { random.index(below: last + 1) }

    /// The starts of three parts that may begin at `0...last`, one in each third of these.
    mutating func thirds(last: Int) -> [Int] {
        let (size, rest) = ((last + 1) / 3, (last + 1) % 3)
        var lower = 0
        return (0..<3).map { third in
            let count = size + (third < rest ? 1 : 0)
            defer { lower += count }
            // A third without any start takes the first one.
            return count > 0 ? lower + random.index(below: count) : 0
        }
    }
}

extension MelFrames {
    /// The frames from `start` on.
    func part(from start: Int, count: Int) -> ArraySlice<Float> {
        values[(start * bins)..<((start + count) * bins)]
    }

    /// As many frames as asked for, each mixed of the two nearest: torch's `interpolate`, bilinear, without antialiasing.
    func shrunk(to count: Int) -> [Float] {
        let scale = Float(frames) / Float(count)
        return [Float](unsafeUninitializedCapacity: count * bins) { target, initialized in
            values.withUnsafeBufferPointer { source in
                for frame in 0..<count {
                    // Where torch multiplies and subtracts in one step, so does this: far into a sound, a position's last
                    // digit is worth thousandths of a decibel.
                    let position = max((-0.5 as Float).addingProduct(scale, Float(frame) + 0.5), 0)
                    let lower = min(Int(position), frames - 1)
                    let upper = min(lower + 1, frames - 1)
                    let part = min(max(position - Float(lower), 0), 1)
                    let rest = Double(1 - part)
                    for bin in 0..<bins {
                        // The first product is not rounded by itself either.
                        target[frame * bins + bin] = Float(
                            Double(source[lower * bins + bin]) * rest + Double(part * source[upper * bins + bin]))
                    }
                }
            }
            initialized = count * bins
        }
    }
}
