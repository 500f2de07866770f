# episodes → items that people rate → ratings. People rate in the app; here only who is simulated does.


rule human:
    input:
        paths.all_human(),


rule sample_items:
    input:
        episodes=paths.human_episodes(),
        ratings=paths.human_judged(),
        tasks=paths.tasks(paths.human_evaluation().tasks) if experiment.human else [],
        characters=here([experiment.world.characters]),
    output:
        sampled=f"{results}/human/items.jsonl",
        key=f"{results}/human/key.parquet",
    log:
        f"{results}/logs/human/items.log",
    benchmark:
        f"{results}/timings/human/items.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
        gpu=0,
    params:
        cfg=staleness.items(experiment) if experiment.human else "",
        code=code_hash("items"),
        experiment=paths.resolved,
    message:
        "sample the episodes that people rate"
    shell:
        "python $PARLEY/scripts/items.py --experiment {params.experiment} --episodes {input.episodes} "
        "--ratings {input.ratings} --tasks {input.tasks} --key {output.key} --out {output.sampled} --log {log}"


rule annotate:
    input:
        sampled=f"{results}/human/items.jsonl",
        key=f"{results}/human/key.parquet",
        prompts=here([experiment.prompts.annotation, experiment.prompts.retry]),
        texts=here(paths.study_texts()),
    output:
        ratings=f"{results}/human/ratings.parquet",
        usage=f"{results}/usage/human/ratings.json",
    log:
        f"{results}/logs/human/ratings.log",
    benchmark:
        f"{results}/timings/human/ratings.tsv"
    conda:
        "../envs/core.yaml"
    threads: lambda wildcards: cores_for(annotators())
    resources:
        mem_mb=lambda wildcards, attempt: memory(1500, attempt, annotators()),
        runtime=lambda wildcards, input, attempt: minutes(
            4 * experiment.human.raters * needs.count(input.sampled), attempt, annotators()
        ),
        gpu=lambda wildcards: gpus_for(annotators()),
    params:
        cfg=staleness.annotations(experiment) if paths.annotations() else "",
        code=code_hash("annotations"),
        experiment=paths.resolved,
    message:
        "have simulated raters rate the items"
    shell:
        "python $PARLEY/scripts/annotations.py --experiment {params.experiment} --items {input.sampled} "
        "--key {input.key} --ledger ledger/human/ratings.sqlite --usage {output.usage} --out {output.ratings} --log {log}"
