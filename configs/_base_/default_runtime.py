# What every LCR config shares. `custom_imports` registers the plugin, so that
# MMAction2's own tools work on these files from any directory.
custom_imports = dict(imports=["lcr_mmaction"], allow_failed_imports=False)
default_scope = "mmaction"

default_hooks = dict(
    runtime_info=dict(type="RuntimeInfoHook"),
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=20, ignore_last=False),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(
        type="AtomicCheckpointHook", interval=1, max_keep_ckpts=3, save_best="auto"
    ),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    sync_buffers=dict(type="SyncBuffersHook"),
)

# Refuse wrong labels and wrong checkpoints before any time is lost; let a resumed run
# end as an uninterrupted one; average the weights (EMA), and validate and save the
# average.
custom_hooks = [
    dict(type="ExactResumeHook"),
    dict(type="DataGuardHook"),
    dict(type="CheckpointGuardHook"),
    dict(type="ThreadsHook"),
    dict(type="KeepMemoryHook"),
    dict(type="CompileBackboneHook"),
    dict(type="EMAHook", ema_type="MomentumAnnealingEMA", momentum=0.002, gamma=100),
]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),
)

# Batch norm of all processes together: several train as one would.
sync_bn = "torch"

log_processor = dict(type="LogProcessor", window_size=20, by_epoch=True)
vis_backends = [dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")]
visualizer = dict(type="ActionVisualizer", vis_backends=vis_backends)
log_level = "INFO"
load_from = None
resume = False
