import Console
import ModelFiles
import Pipeline

Interruption.install()

CommandSet(
    program: "espalier", version: Espalier.version,
    summary: "Prunes a transformer until it is fast enough on your CPU.",
    commands: [
        ProfileCommand.self, PruneCommand.self, EvaluateCommand.self, BenchCommand.self,
        GenerateCommand.self, FinetuneCommand.self, DistillCommand.self, LayerDropCommand.self,
        SparsityCommand.self, SparsifyCommand.self, ExportCommand.self, ReportCommand.self,
        CompareCommand.self, InspectCommand.self,
    ], describing: { $0.fileSystemFault?.description }, isUsage: { $0 is InvalidOptions }
).main()
