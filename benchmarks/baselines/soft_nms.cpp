// The baseline of soft-NMS: the best of what is left to the front, the others decayed one by one.
#include <algorithm>
#include <cmath>
#include <vector>

struct Candidate {
  float start, end, length, score;
  int index;
};

extern "C" int soft_nms(const float* segments, const float* scores, int* picks, float* kept,
                        int count, float sigma, float least) {
  std::vector<Candidate> left;
  for (int i = 0; i < count; ++i) {
    float start = segments[2 * i], end = segments[2 * i + 1];
    left.push_back({start, end, end - start + 1e-6f, scores[i], i});
  }
  int found = 0;
  while (!left.empty()) {
    auto best = std::max_element(left.begin(), left.end(), [](const auto& a, const auto& b) {
      return a.score < b.score || (a.score == b.score && a.index > b.index);
    });
    Candidate pick = *best;
    *best = left.back();
    left.pop_back();
    picks[found] = pick.index;
    kept[found++] = pick.score;
    for (size_t i = 0; i < left.size();) {
      Candidate& one = left[i];
      float shared = std::max(0.f, std::min(one.end, pick.end) - std::max(one.start, pick.start));
      float iou = shared / (one.length + pick.length - shared);
      one.score *= std::exp(-iou * iou / sigma);
      if (one.score < least) {
        one = left.back();
        left.pop_back();
      } else {
        ++i;
      }
    }
  }
  return found;
}
