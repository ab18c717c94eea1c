/// The version of the package, as `concord --version` prints it.
public enum ConcordVersion {
    public static let current = "0.1.0"
}
