/// The error that every boundary of the package throws: files, configurations, archives, requests.
///
/// The message says what failed, with which value, and what to do about it. The code is for programs; it is an
/// open set, so that a new code does not break a client's `switch`.
public struct ConcordError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of an error, for code that tells errors apart.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        /// A file could not be opened, read, written or renamed.
        public static let fileSystem = Code(rawValue: "fileSystem")
        /// Bytes that should be JSON, YAML or a number are not.
        public static let malformedText = Code(rawValue: "malformedText")
        /// An image that cannot be decoded, is truncated, or is larger than allowed.
        public static let invalidImage = Code(rawValue: "invalidImage")
        /// A sound that cannot be decoded, is empty, truncated or not finite, or is longer than allowed.
        public static let invalidAudio = Code(rawValue: "invalidAudio")
        /// A tokenizer file that is inconsistent or of an unsupported kind.
        public static let invalidTokenizer = Code(rawValue: "invalidTokenizer")
        /// A caption file or data folder that cannot be used.
        public static let invalidDataset = Code(rawValue: "invalidDataset")
        /// More rows were unusable than the caller allows.
        public static let tooManySkippedRows = Code(rawValue: "tooManySkippedRows")
        /// A recipe or model configuration with an unknown key or an impossible value.
        public static let invalidConfiguration = Code(rawValue: "invalidConfiguration")
        /// A checkpoint whose tensors are missing, unexpected, or of another shape.
        public static let invalidCheckpoint = Code(rawValue: "invalidCheckpoint")
        /// An operation of the tensor engine that failed.
        public static let tensorOperation = Code(rawValue: "tensorOperation")
        /// A tensor whose shape does not fit what it is used for, or the tensors beside it.
        public static let shapeMismatch = Code(rawValue: "shapeMismatch")
        /// A tensor whose element type or device does not fit what it is used for, or the tensors beside it.
        public static let dtypeMismatch = Code(rawValue: "dtypeMismatch")
        /// A batch without samples.
        public static let emptyBatch = Code(rawValue: "emptyBatch")
        /// A sample that labels or a mask leave without a positive.
        public static let missingPositive = Code(rawValue: "missingPositive")
        /// NaN or infinity where only numbers make sense.
        public static let nonFiniteValue = Code(rawValue: "nonFiniteValue")
        /// A number outside the range in which it has a meaning, such as a negative temperature.
        public static let invalidArgument = Code(rawValue: "invalidArgument")
        /// Another process of the group that failed, is late or disagrees.
        public static let processGroup = Code(rawValue: "processGroup")
        /// Something that this machine or build lacks.
        public static let unavailable = Code(rawValue: "unavailable")
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
