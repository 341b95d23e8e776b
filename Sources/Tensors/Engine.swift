import CKernels

/// Runs the operations of forward and backward passes with the kernels of the processor.
///
/// Operations write into matrices that the caller provides, so that a decode loop allocates
/// nothing. A wrong shape is a programming error and stops the program.
public final class Engine: Sendable {
    /// The threads that run every operation.
    public let pool: ThreadPool

    /// A constant table of plain C functions, which any thread may call.
    nonisolated(unsafe) let kernels: ck_kernels

    /// The working memory of one operation, such as the converted activations of a linear layer.
    let scratch = Scratch()

    /// The working memory of predictors and predicted feed-forward blocks.
    let neuronScratch = Scratch()

    /// The working memory of weights that are widened for one product.
    let widenedWeights = ScratchPiece()

    /// Creates an engine with a number of threads and the kernels of ``InstructionSet/current``.
    public convenience init(threads: Int) {
        self.init(threads: threads, kernels: selectedKernels)
    }

    /// Creates an engine with other kernels than those that pack weights.
    init(threads: Int, kernels: ck_kernels) {
        pool = ThreadPool(threads: threads)
        self.kernels = kernels
    }

    /// Calls `body` with contiguous ranges of rows.
    ///
    /// All threads are used if there are at least two rows for each thread.
    func splitRows(_ rows: Int, _ body: (Range<Int>) -> Void) {
        if rows < 2 * pool.threads {
            body(0..<rows)
        } else {
            pool.split(rows) { range, _ in body(range) }
        }
    }
}
