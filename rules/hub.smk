# To the hub and from the hub. Nothing asks for these files but who names them: no run pushes or pulls.
# Whose repository (PARLEY_HUB), the token (HF_TOKEN) and what is pulled (PARLEY_PULL) come from the environment.


rule push:
    input:
        paths.all_pushed("dataset"),
        paths.all_pushed("adapter"),


rule push_dataset:
    input:
        dataset=f"{results}/datasets/{{policy}}/manifest.json",
        table=f"{results}/datasets/{{policy}}/train.parquet",
        funnel=f"{results}/datasets/{{policy}}/funnel.json",
    output:
        f"{results}/hub/{{policy}}/dataset.json",
    log:
        f"{results}/logs/hub/{{policy}}/dataset.log",
    benchmark:
        f"{results}/timings/hub/{{policy}}/dataset.tsv"
    wildcard_constraints:
        policy="|".join(paths.trained_policies() or ["-"]),
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=120,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.pushing(experiment, wildcards.policy),
        code=code_hash("push"),
        namespace=os.environ.get("PARLEY_HUB", ""),
        experiment=paths.resolved,
    message:
        "push the dataset of {wildcards.policy} to the hub"
    shell:
        "python $PARLEY/scripts/push.py dataset --experiment {params.experiment} --policy {wildcards.policy} "
        "--dataset {input.dataset} --receipt {output} --log {log}"


rule push_adapter:
    input:
        dataset=f"{results}/datasets/{{policy}}/manifest.json",
        policy=f"{results}/policies/{{policy}}.json",
        adapters=brought([f"{results}/policies/{{policy}}"]),
        scores=lambda wildcards: paths.card_scores(wildcards.policy),
        differences=lambda wildcards: paths.card_differences(wildcards.policy),
    output:
        f"{results}/hub/{{policy}}/adapter.json",
    log:
        f"{results}/logs/hub/{{policy}}/adapter.log",
    benchmark:
        f"{results}/timings/hub/{{policy}}/adapter.tsv"
    wildcard_constraints:
        policy="|".join(paths.trained_policies() or ["-"]),
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=120,
        gpu=0,
    params:
        cfg=lambda wildcards: staleness.pushing(experiment, wildcards.policy),
        code=code_hash("push"),
        namespace=os.environ.get("PARLEY_HUB", ""),
        adapter=(
            (lambda wildcards, input: input.adapters[0])
            if in_storage
            else (lambda wildcards: paths.policy(wildcards.policy))
        ),
        experiment=paths.resolved,
    message:
        "push the adapter of {wildcards.policy} to the hub"
    shell:
        "python $PARLEY/scripts/push.py adapter --experiment {params.experiment} --policy {wildcards.policy} "
        "--dataset {input.dataset} --adapter {params.adapter} --scores {input.scores} "
        "--differences {input.differences} --receipt {output} --log {log}"


# As an import: no inputs or params, so that what was pulled stays until it is asked for again.
rule pull:
    output:
        update(local("imported/{kind}s/{name}/provenance.json")),
    log:
        "imported/logs/{kind}s/{name}.log",
    wildcard_constraints:
        kind="adapter|model|dataset",
        name=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    localrule: True
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
        gpu=0,
    message:
        "pull {wildcards.kind} {wildcards.name} from the hub"
    shell:
        "python $PARLEY/scripts/pull.py {wildcards.kind} --out imported/{wildcards.kind}s/{wildcards.name} --log {log}"
