# tasks × players → episodes. A job is a shard of episodes; local players are served inside it.


rule episodes:
    input:
        paths.all_episodes(),


rule play:
    input:
        tasks=f"{results}/tasks/{{task_set}}/{{shard}}.jsonl",
        casts=f"{results}/tasks/{{task_set}}/{{shard}}.casts.json",
        characters=here([experiment.world.characters]),
        prompts=here([*paths.turn_prompt(), experiment.prompts.retry]),
        policies=lambda wildcards: paths.manifests(seats(wildcards)),
        adapters=lambda wildcards: folders_of(seats(wildcards)),
        checkpoints=lambda wildcards: here(paths.checkpoints(seats(wildcards))),
    output:
        episodes=f"{results}/episodes/{{task_set}}/{{players}}/{{shard}}.jsonl",
        usage=f"{results}/usage/episodes/{{task_set}}/{{players}}/{{shard}}.json",
    log:
        f"{results}/logs/episodes/{{task_set}}/{{players}}/{{shard}}.log",
    benchmark:
        f"{results}/timings/episodes/{{task_set}}/{{players}}/{{shard}}.tsv"
    conda:
        "../envs/core.yaml"
    threads: lambda wildcards: cores_for(seats(wildcards))
    resources:
        mem_mb=lambda wildcards, attempt: memory(1200, attempt, seats(wildcards)),
        runtime=lambda wildcards, input, attempt: minutes(
            turns(needs.count(input.casts, "casts")), attempt, seats(wildcards)
        ),
        gpu=lambda wildcards: gpus_for(seats(wildcards)),
    params:
        cfg=lambda wildcards: staleness.episodes(experiment, seats(wildcards)),
        code=code_hash("episodes"),
        adapters=adapters_for(seats),
        experiment=paths.resolved,
    message:
        "play episodes: {wildcards.players} on {wildcards.task_set} {wildcards.shard}"
    shell:
        "python $PARLEY/scripts/episodes.py --experiment {params.experiment} --players {wildcards.players} "
        "--tasks {input.tasks} {params.adapters} "
        "--ledger ledger/episodes/{wildcards.task_set}/{wildcards.players}/{wildcards.shard}.sqlite "
        "--usage {output.usage} --out {output.episodes} --log {log}"
