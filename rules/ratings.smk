# episodes → ratings by a judge.


rule ratings:
    input:
        paths.all_ratings(),
        paths.all_swapped(),


rule rate:
    input:
        episodes=f"{results}/episodes/{{task_set}}/{{players}}/{{shard}}.jsonl",
        tasks=f"{results}/tasks/{{task_set}}/{{shard}}.jsonl",
        characters=here([experiment.world.characters]),
        prompts=here([experiment.prompts.rating, experiment.prompts.retry]),
    output:
        ratings=f"{results}/ratings/{{task_set}}/{{players}}/{{judge}}/{{shard}}.parquet",
        usage=f"{results}/usage/ratings/{{task_set}}/{{players}}/{{judge}}/{{shard}}.json",
    log:
        f"{results}/logs/ratings/{{task_set}}/{{players}}/{{judge}}/{{shard}}.log",
    benchmark:
        f"{results}/timings/ratings/{{task_set}}/{{players}}/{{judge}}/{{shard}}.tsv"
    conda:
        "../envs/core.yaml"
    threads: lambda wildcards: cores_for([wildcards.judge]) - waits(wildcards.judge)
    resources:
        mem_mb=lambda wildcards, attempt: memory(1200, attempt, [wildcards.judge]),
        runtime=lambda wildcards, input, attempt: (
            minutes(needs.count(input.episodes), attempt, [wildcards.judge]) + longest_wait(wildcards.judge)
        ),
        cpus_per_task=lambda wildcards: cores_for([wildcards.judge]),
        waiting=lambda wildcards: waits(wildcards.judge),
        gpu=lambda wildcards: gpus_for([wildcards.judge]),
    params:
        cfg=lambda wildcards: staleness.ratings(experiment, wildcards.judge),
        code=code_hash("ratings"),
        experiment=paths.resolved,
        order="",
        swapped="",
    message:
        "rate episodes: {wildcards.players} on {wildcards.task_set} {wildcards.shard}, by {wildcards.judge}"
    shell:
        "python $PARLEY/scripts/ratings.py --experiment {params.experiment} --judge {wildcards.judge} "
        "--episodes {input.episodes} --tasks {input.tasks} "
        "--ledger ledger/ratings/{wildcards.task_set}/{wildcards.players}/{wildcards.judge}/{params.order}{wildcards.shard}.sqlite "
        "{params.swapped} --usage {output.usage} --out {output.ratings} --log {log}"


# The same with the two agents in the other order in the prompt; only for evaluations that ask for both.
use rule rate as rate_swapped with:
    output:
        ratings=f"{results}/ratings/{{task_set}}/{{players}}/{{judge}}/swapped/{{shard}}.parquet",
        usage=f"{results}/usage/ratings/{{task_set}}/{{players}}/{{judge}}/swapped/{{shard}}.json",
    log:
        f"{results}/logs/ratings/{{task_set}}/{{players}}/{{judge}}/swapped/{{shard}}.log",
    benchmark:
        f"{results}/timings/ratings/{{task_set}}/{{players}}/{{judge}}/swapped/{{shard}}.tsv"
    params:
        cfg=lambda wildcards: staleness.ratings(experiment, wildcards.judge),
        code=code_hash("ratings"),
        experiment=paths.resolved,
        order="swapped/",
        swapped="--swapped",
    message:
        "rate episodes, in the other order: {wildcards.players} on {wildcards.task_set} {wildcards.shard}, by {wildcards.judge}"


# The frozen episodes, by every judge, once a date of the config.
rule ask_canary:
    input:
        frozen=here(paths.canary_files()),
        prompts=here([experiment.prompts.rating, experiment.prompts.retry]),
    output:
        drift=f"{results}/canary/{{judge}}.json",
        marks=f"{results}/canary/{{judge}}.parquet",
        usage=f"{results}/usage/canary/{{judge}}.json",
    log:
        f"{results}/logs/canary/{{judge}}.log",
    benchmark:
        f"{results}/timings/canary/{{judge}}.tsv"
    conda:
        "../envs/core.yaml"
    threads: lambda wildcards: cores_for([wildcards.judge])
    resources:
        mem_mb=lambda wildcards, attempt: memory(1200, attempt, [wildcards.judge]),
        runtime=lambda wildcards, attempt: minutes(100, attempt, [wildcards.judge]),
        gpu=lambda wildcards: gpus_for([wildcards.judge]),
    params:
        cfg=lambda wildcards: staleness.canary(experiment, wildcards.judge),
        code=code_hash("canary"),
        experiment=paths.resolved,
    message:
        "ask {wildcards.judge} about the frozen episodes"
    shell:
        "python $PARLEY/scripts/canary.py --experiment {params.experiment} --judge {wildcards.judge} "
        "--ledger ledger/canary/{wildcards.judge}.sqlite --usage {output.usage} --marks {output.marks} "
        "--out {output.drift} --log {log}"
