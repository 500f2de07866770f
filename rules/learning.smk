# ratings → selection → dataset → adapter. The policies of the config are the learning loop, unrolled.


rule policies:
    input:
        paths.all_policies(),


rule select:
    input:
        ratings=lambda wildcards: paths.training_ratings(wildcards.policy),
    output:
        results + "/selections/{policy}.parquet",
    log:
        results + "/logs/selections/{policy}.log",
    benchmark:
        results + "/timings/selections/{policy}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.selection(experiment, wildcards.policy),
        code=code_hash("selection"),
        experiment=paths.resolved,
        scripts=scripts,
    message:
        "select what {wildcards.policy} learns from"
    shell:
        "python {params.scripts}/selection.py --experiment {params.experiment} --policy {wildcards.policy} "
        "--ratings {input.ratings} --out {output} --log {log}"


rule collect:
    input:
        selection=results + "/selections/{policy}.parquet",
        episodes=lambda wildcards: paths.training_episodes(wildcards.policy),
        tasks=lambda wildcards: paths.tasks(paths.learned_from(wildcards.policy).tasks),
        characters=experiment.world.characters,
        prompt=experiment.prompts.turn,
    output:
        results + "/datasets/{policy}/train.parquet",
        results + "/datasets/{policy}/README.md",
        manifest=results + "/datasets/{policy}/manifest.json",
    log:
        results + "/logs/datasets/{policy}.log",
    benchmark:
        results + "/timings/datasets/{policy}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.dataset(experiment, wildcards.policy),
        code=code_hash("dataset"),
        experiment=paths.resolved,
        scripts=scripts,
    message:
        "collect the samples of {wildcards.policy}"
    shell:
        "python {params.scripts}/dataset.py --experiment {params.experiment} --policy {wildcards.policy} "
        "--selection {input.selection} --episodes {input.episodes} --tasks {input.tasks} "
        "--out {output.manifest} --log {log}"


rule base_policy:
    input:
        checkpoints=lambda wildcards: paths.checkpoints([wildcards.policy]),
    output:
        folder=directory(results + "/policies/{policy}"),
        manifest=results + "/policies/{policy}.json",
    wildcard_constraints:
        policy="|".join(paths.base_policies()),
    log:
        results + "/logs/policies/{policy}.log",
    benchmark:
        results + "/timings/policies/{policy}.tsv"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.base_policy(experiment, wildcards.policy),
        code=code_hash("base_policy"),
        experiment=paths.resolved,
        scripts=scripts,
    message:
        "take {wildcards.policy} as it is"
    shell:
        "python {params.scripts}/base_policy.py --experiment {params.experiment} --policy {wildcards.policy} "
        "--out {output.folder} --manifest {output.manifest} --log {log}"


rule train:
    input:
        dataset=results + "/datasets/{policy}/manifest.json",
        parent=lambda wildcards: paths.manifests([experiment.policies[wildcards.policy].parent]),
        checkpoints=lambda wildcards: paths.checkpoints([wildcards.policy]),
    output:
        folder=directory(results + "/policies/{policy}"),
        manifest=results + "/policies/{policy}.json",
    wildcard_constraints:
        policy="|".join(paths.trained_policies() or ["-"]),
    log:
        results + "/logs/policies/{policy}.log",
    benchmark:
        results + "/timings/policies/{policy}.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 480 * attempt,
        gpu=lambda wildcards: gpus_for([wildcards.policy]),
    params:
        cfg=lambda wildcards: staleness.training(experiment, wildcards.policy),
        code=code_hash("training"),
        parent=lambda wildcards: adapters_of([experiment.policies[wildcards.policy].parent]),
        experiment=paths.resolved,
        scripts=scripts,
    message:
        "train {wildcards.policy}"
    shell:
        "python {params.scripts}/training.py --experiment {params.experiment} --policy {wildcards.policy} "
        "--dataset {input.dataset} {params.parent} --store ledger/adapters "
        "--out {output.folder} --manifest {output.manifest} --log {log}"
