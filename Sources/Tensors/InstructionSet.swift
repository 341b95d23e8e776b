import CKernels
internal import Synchronization

/// The instruction sets of the processor that kernels can use, by names such as `avx512vnni`.
///
/// Every instruction set has its own table of kernels.
public enum InstructionSet {
    /// The instruction sets that this processor runs, the fastest first.
    public static let available: [String] = {
        var names: [String] = []
        while let table = ck_table(names.count) {
            names.append(String(cString: table.pointee.name))
        }
        return names
    }()

    /// The instruction set of matrix units over an emulation of them.
    ///
    /// Every processor runs it, slowly. It shows what a processor with matrix units computes, except
    /// for the order of sums outside their products.
    public static let emulated = String(cString: ck_emulated_table().pointee.name)

    /// The instruction set that all engines of this process use.
    public static var current: String { String(cString: selectedKernels.name) }

    /// Makes all engines of this process use an instruction set instead of the fastest one.
    ///
    /// Call it before the process packs weights or creates an engine.
    ///
    /// - Parameter name: One of ``available``, or ``emulated``.
    public static func use(_ name: String) {
        guard let index = (available + [emulated]).firstIndex(of: name) else {
            preconditionFailure("this processor does not have the instruction set \(name)")
        }
        selection.withLock { selection in
            precondition(!selection.isUsed, "select the instruction set before the first use")
            selection.index = index
        }
    }

    /// The index of the table that engines use, and whether any code has read the index.
    private static let selection = Mutex((index: 0, isUsed: false))

    /// The index of the table that engines use.
    ///
    /// The index cannot change after the first read.
    fileprivate static var selected: Int {
        selection.withLock { selection in
            selection.isUsed = true
            return selection.index
        }
    }
}

/// The kernels of the selected instruction set: a constant table of plain C functions, which any
/// thread may call.
nonisolated(unsafe) let selectedKernels =
    (ck_table(InstructionSet.selected) ?? ck_emulated_table()).pointee
