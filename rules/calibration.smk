# people's ratings beside the judge's → calibrated scores, and how alike they rate. Only where people have rated.


rule calibration:
    input:
        paths.all_calibration(),


rule calibrate:
    input:
        here(paths.calibration_inputs()),
    output:
        means=f"{results}/human/calibration.parquet",
        versus=f"{results}/human/calibration.versus_{paths.baseline}.parquet",
        agreement=f"{results}/human/agreement.json",
    log:
        f"{results}/logs/human/calibration.log",
    benchmark:
        f"{results}/timings/human/calibration.tsv"
    localrule: True
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        cfg=staleness.calibration(experiment),
        code=code_hash("calibration"),
        experiment=paths.resolved,
    message:
        "calibrate the scores by people's ratings"
    shell:
        "python $PARLEY/scripts/calibration.py --experiment {params.experiment} --out {output.means} "
        "--versus {output.versus} --agreement {output.agreement} --log {log}"
