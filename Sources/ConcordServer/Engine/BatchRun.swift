/// The items of one run of a ``Batcher``, as the work sees them: by their place in it.
package struct BatchRun<Output: Sendable>: Sendable {
    let entries: [BatchEntry<Output>]
    let onProgress: @Sendable () -> Void

    /// Answers for an item at once, before the run ends.
    package func finish(_ index: Int, _ result: Result<Output, ServingError>) { entries[index].finish(result) }

    /// Whether nobody waits for an item any more.
    package func isOver(_ index: Int) -> Bool { !entries[index].isOpen }

    /// Tells that a long run goes on.
    package func progress() { onProgress() }
}
