import ConcordCore

extension ConcordError.Code {
    /// A URL that is not one that this service fetches from.
    public static let refusedAddress = Self(rawValue: "refusedAddress")
    /// A picture that did not come from where it was to be fetched.
    public static let fetch = Self(rawValue: "fetch")
}
