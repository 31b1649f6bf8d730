from cpimportd.cli import main

main()
