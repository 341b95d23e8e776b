import CKernels
internal import Synchronization

/// The instruction sets of the processor that kernels can use, by names such as `avx512vnni`.
///
/// Each name is that of one table of kernels.
public enum InstructionSet {
    /// The instruction sets that this processor runs, the fastest first.
    public static let available: [String] = {
        var names: [String] = []
        while let table = ck_table(names.count) {
            names.append(String(cString: table.pointee.name))
        }
        return names
    }()

    /// The instruction set that all engines of this process use.
    public static var current: String { String(cString: selectedKernels.name) }

    /// Makes all engines of this process use an instruction set instead of the fastest one.
    ///
    /// Call it before the process packs weights or creates an engine.
    ///
    /// - Parameter name: One of ``available``.
    public static func use(_ name: String) {
        guard let index = available.firstIndex(of: name) else {
            preconditionFailure("an instruction set of another processor")
        }
        selection.withLock { selection in
            precondition(!selection.isUsed, "the instruction set is in use")
            selection.index = index
        }
    }

    /// The table that engines use, and whether any code has asked for it.
    private static let selection = Mutex((index: 0, isUsed: false))

    /// The index of the table that engines use, which cannot change any more.
    fileprivate static var selected: Int {
        selection.withLock { selection in
            selection.isUsed = true
            return selection.index
        }
    }
}

/// The kernels of the selected instruction set: a constant table of plain C functions, which any
/// thread may call.
nonisolated(unsafe) let selectedKernels = ck_table(InstructionSet.selected)!.pointee
