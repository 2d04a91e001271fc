resource "aws_ecs_service" "daphne" {
  name = "daphne"
}
