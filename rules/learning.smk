# ratings → selection → dataset → adapter. The policies of the config are the learning loop, unrolled.


rule policies:
    input:
        paths.all_policies(),


rule select:
    input:
        ratings=lambda wildcards: here(paths.training_ratings(wildcards.policy)),
    output:
        f"{results}/selections/{{policy}}.parquet",
    log:
        f"{results}/logs/selections/{{policy}}.log",
    benchmark:
        f"{results}/timings/selections/{{policy}}.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.selection(experiment, wildcards.policy),
        code=code_hash("selection"),
        experiment=paths.resolved,
    message:
        "select what {wildcards.policy} learns from"
    shell:
        "python $PARLEY/scripts/selection.py --experiment {params.experiment} --policy {wildcards.policy} "
        "--ratings {input.ratings} --out {output} --log {log}"


rule collect:
    input:
        selection=f"{results}/selections/{{policy}}.parquet",
        episodes=lambda wildcards: here(paths.training_episodes(wildcards.policy)),
        tasks=lambda wildcards: paths.tasks(paths.learned_from(wildcards.policy).tasks),
        characters=here([experiment.world.characters]),
        prompt=here(paths.turn_prompt()),
    output:
        f"{results}/datasets/{{policy}}/train.parquet",
        f"{results}/datasets/{{policy}}/README.md",
        f"{results}/datasets/{{policy}}/funnel.json",
        manifest=f"{results}/datasets/{{policy}}/manifest.json",
    log:
        f"{results}/logs/datasets/{{policy}}.log",
    benchmark:
        f"{results}/timings/datasets/{{policy}}.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.dataset(experiment, wildcards.policy),
        code=code_hash("dataset"),
        experiment=paths.resolved,
    message:
        "collect the samples of {wildcards.policy}"
    shell:
        "python $PARLEY/scripts/dataset.py --experiment {params.experiment} --policy {wildcards.policy} "
        "--selection {input.selection} --episodes {input.episodes} --tasks {input.tasks} "
        "--out {output.manifest} --log {log}"


rule base_policy:
    input:
        checkpoints=lambda wildcards: here(paths.checkpoints([wildcards.policy])),
    output:
        folder=directory(f"{results}/policies/{{policy}}"),
        manifest=f"{results}/policies/{{policy}}.json",
    log:
        f"{results}/logs/policies/{{policy}}.log",
    benchmark:
        f"{results}/timings/policies/{{policy}}.tsv"
    wildcard_constraints:
        policy="|".join(paths.base_policies()),
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.base_policy(experiment, wildcards.policy),
        code=code_hash("base_policy"),
        experiment=paths.resolved,
    message:
        "take {wildcards.policy} as it is"
    shell:
        "python $PARLEY/scripts/base_policy.py --experiment {params.experiment} --policy {wildcards.policy} "
        "--out {output.folder} --manifest {output.manifest} --log {log}"


rule train:
    input:
        dataset=f"{results}/datasets/{{policy}}/manifest.json",
        samples=brought([f"{results}/datasets/{{policy}}/train.parquet"]),
        parent=lambda wildcards: paths.manifests([experiment.policies[wildcards.policy].parent]),
        adapters=lambda wildcards: folders_of([experiment.policies[wildcards.policy].parent]),
        checkpoints=lambda wildcards: here(paths.checkpoints([wildcards.policy])),
    output:
        folder=directory(f"{results}/policies/{{policy}}"),
        manifest=f"{results}/policies/{{policy}}.json",
    log:
        f"{results}/logs/policies/{{policy}}.log",
    benchmark:
        f"{results}/timings/policies/{{policy}}.tsv"
    wildcard_constraints:
        policy="|".join(paths.trained_policies() or ["-"]),
    conda:
        "../envs/train.yaml"
    threads: lambda wildcards: cores_for([wildcards.policy])
    resources:
        mem_mb=lambda wildcards, attempt: needs.grown(needs.training(experiment.model_of(wildcards.policy)), attempt),
        runtime=lambda wildcards, input, attempt: needs.grown(
            needs.learning(
                needs.count(input.dataset, "rows"),
                experiment.policies[wildcards.policy].training,
                experiment.model_of(wildcards.policy),
            ),
            attempt,
        ),
        gpu=lambda wildcards: min(1, gpus_for([wildcards.policy])),
    params:
        cfg=lambda wildcards: staleness.training(experiment, wildcards.policy),
        code=code_hash("training"),
        parent=adapters_for(lambda wildcards: [experiment.policies[wildcards.policy].parent]),
        experiment=paths.resolved,
    message:
        "train {wildcards.policy}"
    # exec: what ends the job on a cluster is then waited for until the training has saved its state
    shell:
        "exec python $PARLEY/scripts/training.py --experiment {params.experiment} --policy {wildcards.policy} "
        "--dataset {input.dataset} {params.parent} --store ledger/adapters "
        "--out {output.folder} --manifest {output.manifest} --log {log}"
